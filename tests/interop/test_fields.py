"""Every field and option that one side writes is read properly by the other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.interop.node import NodePeer
from toril import AddOptions, Backoff, Dedup, Keep, Queue, from_bullmq
from toril.model.parent import FailurePolicy

TRACE = '{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}'
MADE_MS = 1_700_000_000_123

# Options of toril, and what they are for BullMQ.
OPTIONS: dict[str, tuple[AddOptions, dict[str, Any]]] = {
    "none": ({}, {"attempts": 0}),
    "delay": ({"delay": 3600}, {"attempts": 0, "delay": 3_600_000}),
    "priority": ({"priority": 7}, {"attempts": 0, "priority": 7}),
    "lifo": ({"lifo": True}, {"attempts": 0, "lifo": True}),
    "attempts": ({"attempts": 3}, {"attempts": 3}),
    "backoff": ({"backoff": 1.5}, {"attempts": 0, "backoff": {"type": "fixed", "delay": 1500}}),
    "jitter": (
        {"backoff": Backoff.exponential(2, jitter=0.25)},
        {"attempts": 0, "backoff": {"type": "exponential", "delay": 2000, "jitter": 0.25}},
    ),
    "remove": (
        {"remove_on_complete": True, "remove_on_fail": 5},
        {"attempts": 0, "removeOnComplete": True, "removeOnFail": 5},
    ),
    "keep": (
        {"remove_on_complete": Keep(count=9, age=60, limit=3), "remove_on_fail": False},
        {"attempts": 0, "removeOnComplete": {"count": 9, "age": 60, "limit": 3}, "removeOnFail": False},
    ),
    "logs": ({"keep_logs": 4}, {"attempts": 0, "keepLogs": 4}),
    "stacks": ({"stack_trace_limit": 2}, {"attempts": 0, "stackTraceLimit": 2}),
    "size": ({"size_limit": 900}, {"attempts": 0, "sizeLimit": 900}),
    "id": ({"job_id": "mine/1"}, {"attempts": 0, "jobId": "mine/1"}),
    "timestamp": (
        {"timestamp": datetime.fromtimestamp(MADE_MS / 1000, UTC)},
        {"attempts": 0, "timestamp": MADE_MS},
    ),
    "dedup": (
        {"deduplication": Dedup("same", ttl=5, extend=True, replace=True)},
        {"attempts": 0, "deduplication": {"id": "same", "ttl": 5000, "extend": True, "replace": True}},
    ),
    "telemetry": (
        {"telemetry": {"metadata": TRACE, "omit_context": True}},
        {"attempts": 0, "telemetry": {"metadata": TRACE, "omitContext": True}},
    ),
    "extra": ({"extra": {"team": "a/b", "share": 0.1}}, {"attempts": 0, "team": "a/b", "share": 0.1}),
    "policy": ({"on_failure": "fail_parent"}, {"attempts": 0, "failParentOnFailure": True}),
}


async def test_options_of_toril_are_read_by_node(node: NodePeer, queue: Queue) -> None:
    for name, (options, expected) in OPTIONS.items():
        job = await queue.add(name, {"for": name}, **options)

        read = await node.job(job.id)

        assert read["opts"] == expected
        assert (read["name"], read["data"]) == (name, {"for": name})
        assert read["delay"] == expected.get("delay", 0)
        assert read["priority"] == expected.get("priority", 0)
        assert read["timestamp"] == job.timestamp_ms


async def test_options_of_node_are_read_by_toril(node: NodePeer, queue: Queue) -> None:
    for name, (_, opts) in OPTIONS.items():
        added = await node.add(name, {"for": name}, **opts)

        job = await queue.get_job(added["id"])

        assert job is not None
        # BullMQ leaves it to the telemetry of its producer what is stored of this option.
        assert without_telemetry(job.opts) == without_telemetry(opts)
        assert (job.name, job.data) == (name, {"for": name})
        assert job.delay_ms == opts.get("delay", 0)
        assert job.priority == opts.get("priority", 0)
        assert job.timestamp_ms == added["timestamp"]
        assert job.deduplication_id == added.get("deduplicationId")


def without_telemetry(opts: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in opts.items() if key != "telemetry"}


async def test_pasted_options_are_stored_as_node_stores_them(node: NodePeer, queue: Queue) -> None:
    for name, (_, opts) in OPTIONS.items():
        given = {key: value for key, value in opts.items() if key not in ("jobId", "deduplication")}
        theirs = await queue.get_job((await node.add(name, 1, **given))["id"])
        ours = await queue.get_job((await queue.add(name, 1, **from_bullmq(given))).id)

        assert ours is not None
        assert theirs is not None
        if "telemetry" not in opts:
            assert ours.stored_opts == theirs.stored_opts
        assert ours.to_dict(wire=True).keys() == theirs.to_dict(wire=True).keys()


async def test_telemetry_of_node_is_read_by_toril(node: NodePeer, queue: Queue) -> None:
    telemetry = {"metadata": TRACE, "omitContext": True}
    [id] = await node.add_many(("traced", 1), telemetry=telemetry)

    job = await queue.get_job(id)

    assert job is not None
    assert job.opts["telemetry"] == telemetry


POLICIES: list[tuple[FailurePolicy, str]] = [
    ("fail_parent", "fpof"),
    ("continue_parent", "cpof"),
    ("ignore", "idof"),
    ("remove", "rdof"),
]


async def test_a_parent_given_by_toril_is_read_by_node(node: NodePeer, queue: Queue, prefix: str) -> None:
    parent = await queue.add("parent")
    for policy, flag in POLICIES:
        child = await queue.add("child", parent=parent, on_failure=policy)

        read = await node.job(child.id)

        assert read["parentKey"] == f"{prefix}:work:{parent.id}"
        assert read["parent"] == {"id": parent.id, "queueKey": f"{prefix}:work", flag: True}
        assert read["opts"]["parent"] == {"id": parent.id, "queue": f"{prefix}:work"}
    assert (await node.request("dependencies", queue="work", jobId=parent.id))["unprocessed"] == 4


async def test_a_parent_given_by_node_is_read_by_toril(node: NodePeer, queue: Queue, prefix: str) -> None:
    parent = await queue.add("parent")
    named = {"id": parent.id, "queue": f"{prefix}:work"}
    added = await node.add("child", 1, parent=named, ignoreDependencyOnFailure=True)

    child = await queue.get_job(added["id"])

    assert child is not None
    assert child.parent_key == f"{prefix}:work:{parent.id}"
    assert child.parent == {"id": parent.id, "queueKey": f"{prefix}:work", "idof": True}
    assert child.opts["parent"] == named
    assert child.opts["ignoreDependencyOnFailure"] is True


async def test_an_id_that_exists_is_the_same_job_for_both(node: NodePeer, queue: Queue) -> None:
    await node.listen()
    first = await queue.add("first", 1, job_id="mine")
    again = await node.add("again", 2, jobId="mine")
    third = await queue.add("third", 3, job_id="mine")

    assert (again["id"], first.created, third.created) == ("mine", True, False)
    assert (third.name, third.data) == ("first", 1)
    assert await node.told("duplicated", "mine") == {"jobId": "mine"}
    assert await queue.count() == 1


async def test_ids_are_counted_together(node: NodePeer, queue: Queue) -> None:
    ids = [(await queue.add("a")).id, (await node.add("b"))["id"], (await queue.add("c")).id]

    assert ids == ["1", "2", "3"]
    assert await queue.get_version() is not None
    assert (await node.counts())["waiting"] == 3
    assert await queue.get_waiting_count() == 3
