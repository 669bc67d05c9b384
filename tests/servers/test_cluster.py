"""What only a cluster asks for: queues in one slot, scripts on each node, nodes that go and come."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from tests.servers.adding import add_one
from tests.servers.places import Place, Places
from tests.support.eventually import eventually
from tests.support.valkey import HOST, Cluster, Program, Valkey, free_port
from toril import Job, Queue, Worker, list_queues
from toril.errors import OptionError, ScriptError, StoreMisconfigured, StoreUnavailable

_CROSSING = "return redis.call('EXISTS', 'one', 'two')"


@pytest.fixture
def node(program: Program) -> Iterator[Cluster]:
    """A cluster of one node that this test may break."""
    with Cluster(1, program) as cluster:
        yield cluster


@pytest.fixture
def shared_node(places: Places) -> Place:
    """A cluster of one node that must be left as it was found."""
    return places.find("cluster-1-node")


@pytest.fixture
def three_nodes(places: Places) -> Cluster:
    """A cluster of three nodes that have not seen a script yet."""
    for server in places.find("cluster-3-nodes").servers:
        server.command("SCRIPT", "FLUSH")
        server.command("FLUSHALL")
    return places.clusters[3]


@contextmanager
def _set(server: Valkey, name: str, value: str) -> Generator[None]:
    """A setting of a server, for a while."""
    with server.database() as database:
        before = database.command("CONFIG", "GET", name)
        database.command("CONFIG", "SET", name, value)
        yield
        database.command("CONFIG", "SET", name, before[1])


async def answer(job: Job) -> str:
    return f"{job.queue_name} {job.data}"


def _one_queue_a_node(cluster: Cluster) -> list[str]:
    """Names of queues, the first one on the first node and so on."""
    names = [f"{{tests{number}}}" for number in range(100)]
    return [next(name for name in names if cluster.owner(name) is node) for node in cluster.nodes]


async def test_each_queue_works_on_the_node_that_its_name_says(three_nodes: Cluster) -> None:
    names = _one_queue_a_node(three_nodes)
    queues = [Queue(name, url=three_nodes.url) for name in names]
    workers = [Worker(name, answer, url=three_nodes.url) for name in names]
    for worker in workers:
        await worker.start()

    jobs = [await queue.add("where", number) for number, queue in enumerate(queues)]
    results = await asyncio.gather(*(job.result(timeout=10) for job in jobs))

    assert results == [f"{name} {number}" for number, name in enumerate(names)]
    for node, name in zip(three_nodes.nodes, names, strict=True):
        stored = node.keys()
        assert {key.split(":")[1] for key in stored} == {name}
    for end in (*workers, *queues):
        await end.close()


async def test_one_worker_serves_queues_of_all_nodes(three_nodes: Cluster) -> None:
    names = _one_queue_a_node(three_nodes)
    queues = [Queue(name, url=three_nodes.url) for name in names]
    async with Worker(names, answer, url=three_nodes.url, concurrency=2):
        jobs = [await queue.add("where", number) for number in range(5) for queue in queues]
        results = await asyncio.gather(*(job.result(timeout=10) for job in jobs))
    for queue in queues:
        await queue.close()

    assert results == [f"{name} {number}" for number in range(5) for name in names]


async def test_one_worker_hears_of_cancelled_jobs_on_all_nodes(three_nodes: Cluster) -> None:
    async def for_ever(job: Job) -> None:
        await asyncio.Event().wait()

    names = _one_queue_a_node(three_nodes)
    queues = [Queue(name, url=three_nodes.url) for name in names]
    async with Worker(names, for_ever, url=three_nodes.url, concurrency=3, lock_duration=60):
        jobs = [await queue.add("long") for queue in queues]
        for job in jobs:
            await eventually(job.is_active)
        for job in jobs:
            await job.cancel()
        for job in jobs:
            await eventually(job.is_failed, timeout=5)
    for queue in queues:
        await queue.close()


async def test_one_queue_without_a_hash_tag_is_refused_among_others(three_nodes: Cluster) -> None:
    with pytest.raises(StoreMisconfigured, match="braces"):
        await Worker(["{tests}", "plain"], answer, url=three_nodes.url).start()

    assert [node.keys() for node in three_nodes.nodes] == [[], [], []]


async def test_queues_and_workers_on_all_nodes_are_found(three_nodes: Cluster) -> None:
    names = _one_queue_a_node(three_nodes)
    for name in names:
        await add_one(three_nodes.url, name)
        async with (
            Worker(name, answer, url=three_nodes.url, name="w") as worker,
            Queue(name, url=three_nodes.url) as queue,
        ):
            await worker.start()
            found = await eventually(queue.get_workers)
            assert [each.name for each in found] == ["w"]

    assert await list_queues(three_nodes.url) == sorted(names)


async def test_workers_that_are_busy_from_the_start_are_found(three_nodes: Cluster) -> None:
    async def busy(job: Job) -> None:
        await go_on.wait()

    go_on = asyncio.Event()
    for name in _one_queue_a_node(three_nodes):
        await add_one(three_nodes.url, name)
        async with (
            Worker(name, busy, url=three_nodes.url, name="w") as worker,
            Queue(name, url=three_nodes.url) as queue,
        ):
            found = await eventually(queue.get_workers)
            assert [each.name for each in found] == ["w"]
            assert not worker.is_idle
            go_on.set()
        go_on.clear()


@pytest.mark.parametrize("name", ["plain", "bra{ce", "}{", "{}"])
async def test_a_queue_without_a_hash_tag_is_refused(three_nodes: Cluster, name: str) -> None:
    with pytest.raises(StoreMisconfigured, match="braces"):
        await Worker(name, answer, url=three_nodes.url).start()
    with pytest.raises(StoreMisconfigured, match="braces") as refusal:
        await add_one(three_nodes.url, name)

    assert "prefix='{bull}'" in str(refusal.value)
    assert f"'{{{name}}}'" in str(refusal.value)
    assert [node.keys() for node in three_nodes.nodes] == [[], [], []]


async def test_work_goes_on_after_a_node_was_away(node: Cluster) -> None:
    async with Queue("{tests}", url=node.url) as queue, Worker("{tests}", answer, url=node.url) as worker:
        first = await queue.add("before", 1)
        assert await first.result(timeout=10) == "{tests} 1"
        heard: list[BaseException] = []
        worker.on("error", heard.append)

        node.nodes[0].kill()
        assert await eventually(lambda: heard)
        node.nodes[0].start()
        second = await queue.add("after", 2)

        assert await second.result(timeout=10) == "{tests} 2"
        assert {type(error) for error in heard} == {StoreUnavailable}
        assert await eventually(lambda: worker.health == "healthy")


async def test_a_node_that_refuses_all_scripts_is_explained(node: Cluster) -> None:
    """Valkey 9.1 is stuck after a script with keys of two slots; Redis and other versions are not."""
    async with Queue("{tests}", url=node.url) as queue:
        await queue.add("before")
        with pytest.raises(Exception, match="non local key"):
            node.nodes[0].command("EVAL", _CROSSING, 0)
        said = ""
        try:
            await queue.add("after")
        except ScriptError as error:
            said = str(error)

        assert "restart the node" in said or await queue.count() == 2


async def test_no_node_answers() -> None:
    with pytest.raises(StoreUnavailable, match="the cluster does not answer"):
        await add_one(f"redis+cluster://{HOST}:{free_port()},{HOST}:{free_port()}", "{tests}")


async def test_a_wrong_password_is_no_passing_trouble(shared_node: Place) -> None:
    server = shared_node.servers[0]
    with _set(server, "requirepass", "right"):
        assert (await add_one(f"redis+cluster://:right@{server.place}", "{password}")).id == "1"
        for login in ("", ":wrong@"):
            with pytest.raises(StoreMisconfigured, match="refuses us"):
                await add_one(f"redis+cluster://{login}{server.place}", "{password}")


async def test_memory_that_is_full_is_passing_trouble(shared_node: Place) -> None:
    async with Queue("{memory}", url=shared_node.url) as queue:
        job = await queue.add("first")
        with _set(shared_node.servers[0], "maxmemory", "1"), pytest.raises(StoreUnavailable, match="OOM"):
            await job.update_data({"more": 1})


async def test_many_callers_at_once_take_turns(shared_node: Place) -> None:
    async with Queue("{turns}", url=shared_node.url) as queue:
        await queue.add_many([("one", number) for number in range(300)])

        found = await asyncio.gather(*(queue.get_job(str(number + 1)) for number in range(300)))

        assert [job and job.data for job in found] == list(range(300))
        assert len(shared_node.servers[0].clients()) < 100


@pytest.mark.parametrize("database", ["/1", "?db=2"])
async def test_a_cluster_has_one_database(database: str) -> None:
    with pytest.raises(OptionError, match="database 0 only"):
        await add_one(f"redis+cluster://localhost{database}", "{tests}")


async def test_a_server_alone_is_no_cluster(places: Places) -> None:
    with pytest.raises(StoreMisconfigured, match="not part of a cluster"):
        await add_one(f"redis+cluster://{places.plain().place}", "{tests}")
