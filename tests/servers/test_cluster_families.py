"""Parents and children in a cluster: in one slot, or refused before anything is written."""

from __future__ import annotations

import pytest

from tests.servers.places import Places
from tests.support.valkey import Cluster
from toril import Flow, FlowProducer, Job, ParentRef, Queue, Worker
from toril.errors import StoreMisconfigured


@pytest.fixture
def three_nodes(places: Places) -> Cluster:
    """A cluster of three nodes, empty."""
    for server in places.find("cluster-3-nodes").servers:
        server.command("FLUSHALL")
    return places.clusters[3]


async def add_up(job: Job) -> int:
    return job.data + sum((await job.children_values()).values())


async def test_a_tree_over_queues_of_one_slot(three_nodes: Cluster) -> None:
    url, prefix = three_nodes.url, "{shop}"
    async with (
        FlowProducer(url=url, prefix=prefix) as producer,
        Worker("sums", add_up, url=url, prefix=prefix),
        Worker("parts", add_up, url=url, prefix=prefix),
    ):
        leaves = [Flow("leaf", n, queue="parts") for n in range(5)]
        node = await producer.add(Flow("root", 100, queue="sums", children=leaves))

        assert await node.job.result(timeout=10) == 110
        tree = await producer.get_flow("sums", node.job.id)
        assert tree is not None
        assert len(tree.children) == 5
        assert (await node.job.dependency_counts())["processed"] == 5


async def test_a_tree_over_several_slots_is_refused(three_nodes: Cluster) -> None:
    async with FlowProducer(url=three_nodes.url) as producer:
        flow = Flow("root", queue="{a}", children=[Flow("leaf", queue="{b}")])
        with pytest.raises(StoreMisconfigured, match="in one slot"):
            await producer.add(flow)
        with pytest.raises(StoreMisconfigured, match="put braces"):
            await producer.add(Flow("root", queue="plain"))
        with pytest.raises(StoreMisconfigured, match="put braces"):
            await producer.get_flow("plain", "1")
    async with Queue("{b}", url=three_nodes.url, skip_meta_update=True) as queue:
        with pytest.raises(StoreMisconfigured, match="in one slot"):
            await queue.add("child", parent=ParentRef("1", "bull:{a}"))
        with pytest.raises(StoreMisconfigured, match="in one slot"):
            await queue.add_many([("child", 1, {"parent": ParentRef("1", "bull:{a}")})])

    assert [server.command("DBSIZE") for server in three_nodes.nodes] == [0, 0, 0]
