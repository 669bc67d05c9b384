"""What toril adds, Node runs, and toril reads what became of it."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.interop.node import NodePeer
from tests.interop.payloads import PAYLOADS
from tests.support.eventually import eventually
from toril import AddOptions, Backoff, Job, JobFailed, Keep, Queue


async def test_data_and_results_come_through(node: NodePeer, queue: Queue) -> None:
    await node.work()

    jobs = await queue.add_many(("echo", payload) for payload in PAYLOADS)
    results = [await job.result(5) for job in jobs if isinstance(job, Job)]

    assert results == PAYLOADS
    notes = [await node.did("completed", job.id) for job in jobs if isinstance(job, Job)]
    assert [note["value"] for note in notes] == PAYLOADS


async def test_a_job_without_data(node: NodePeer, queue: Queue) -> None:
    await node.work()

    job = await queue.add("echo")

    assert await job.result(5) == {}


async def test_many_at_once(node: NodePeer, queue: Queue) -> None:
    await node.work(concurrency=10)

    jobs = await queue.add_many(("echo", number) for number in range(100))

    assert [await job.result(5) for job in jobs if isinstance(job, Job)] == list(range(100))
    assert await queue.get_completed_count() == 100


async def test_a_delay_is_kept(node: NodePeer, queue: Queue) -> None:
    await node.work()
    later = await queue.add("echo", "later", delay=0.3)
    sooner = await queue.add("echo", "sooner", delay=timedelta(milliseconds=100))
    assert (await node.job(later.id))["state"] == "delayed"

    await later.result(5)

    await sooner.refresh()
    await later.refresh()
    for job, delay_ms in ((later, 300), (sooner, 100)):
        assert job.processed_on_ms is not None
        assert job.processed_on_ms - job.timestamp_ms >= delay_ms


async def test_a_promoted_job_runs_at_once(node: NodePeer, queue: Queue) -> None:
    await node.work()
    job = await queue.add("echo", 1, delay=3600)

    await job.promote()

    assert await job.result(5) == 1


async def test_the_order_is_that_of_priorities(node: NodePeer, queue: Queue) -> None:
    adds: list[tuple[str, AddOptions]] = [
        ("first of 5", {"priority": 5}),
        ("last", {"priority": 2097151}),
        ("first of 2", {"priority": 2}),
        ("plain", {}),
        ("second of 5", {"priority": 5}),
        ("second plain", {}),
        ("in front", {"lifo": True}),
    ]
    for data, options in adds:
        await queue.add("echo", data, **options)

    await node.work(concurrency=1)
    notes = await node.notes_of(len(adds), event="completed")

    order = ["in front", "plain", "second plain", "first of 2", "first of 5", "second of 5", "last"]
    assert [note["value"] for note in notes] == order


async def test_a_changed_priority_is_seen(node: NodePeer, queue: Queue) -> None:
    low = await queue.add("echo", "low", priority=9)
    await queue.add("echo", "middle", priority=5)
    await low.change_priority(1)

    await node.work(concurrency=1)
    notes = await node.notes_of(2, event="completed")

    assert [note["value"] for note in notes] == ["low", "middle"]


# Backoffs of toril, and the least delays in ms that two failures shall bring.
BACKOFFS: list[tuple[AddOptions, list[int]]] = [
    ({"attempts": 5}, []),
    ({"attempts": 5, "backoff": 0.04}, [40, 40]),
    ({"attempts": 5, "backoff": Backoff.fixed(0.06)}, [60, 60]),
    ({"attempts": 5, "backoff": Backoff.exponential(0.05)}, [50, 100]),
    ({"attempts": 5, "backoff": Backoff.exponential(0.06, jitter=0.5)}, [30, 60]),
    ({"attempts": 5, "backoff": {"type": "fixed", "delay": 70}}, [70, 70]),
]


async def test_retries_wait_as_long_as_their_backoff(node: NodePeer, queue: Queue) -> None:
    await node.work(concurrency=6)
    await node.listen()

    jobs = [await queue.add("fail", {"times": 2}, **options) for options, _ in BACKOFFS]
    results = [await job.result(5) for job in jobs]

    assert results == [3] * len(BACKOFFS)
    for job, (_, shortest) in zip(jobs, BACKOFFS, strict=True):
        await job.refresh()
        assert (job.attempts_made, job.attempts_started, len(job.stacktrace)) == (3, 3, 2)
        assert "failure 2 in node" in job.stacktrace[1]
        await node.told("completed", job.id)
        delays = delays_of(node, job)
        assert all(delay >= least for delay, least in zip(delays, shortest, strict=True))


def delays_of(node: NodePeer, job: Job) -> list[int]:
    """The times between a failure and the next attempt, as the queue's events tell them."""
    notes = node.noted(**{"from": "events", "jobId": job.id})
    due = [note["args"]["delay"] for note in notes if note["event"] == "delayed"]
    starts = [job.timestamp_ms, *due]
    return [after - before for before, after in pairwise(starts)]


async def test_a_job_that_fails_for_good(node: NodePeer, queue: Queue) -> None:
    await node.work()
    job = await queue.add("fail", {"times": 9}, attempts=3, stack_trace_limit=2)

    with pytest.raises(JobFailed) as failed:
        await job.result(5)

    assert failed.value.reason == "failure 3 in node"
    await job.refresh()
    assert job.failed_reason == "failure 3 in node"
    assert (job.attempts_made, job.attempts_started, len(job.stacktrace)) == (3, 3, 2)
    assert job.stacktrace[-1].startswith("Error: failure 3 in node")
    assert await job.state() == "failed"


async def test_unrecoverable_means_no_other_attempt(node: NodePeer, queue: Queue) -> None:
    await node.work()
    job = await queue.add("give-up", attempts=5, backoff=1)

    with pytest.raises(JobFailed, match="hopeless in node"):
        await job.result(5)

    await job.refresh()
    assert (job.attempts_made, len(job.stacktrace)) == (1, 1)


async def test_toril_retries_a_job_that_failed_in_node(node: NodePeer, queue: Queue) -> None:
    await node.work()
    job = await queue.add("fail", {"times": 1})
    with pytest.raises(JobFailed):
        await job.result(5)

    await job.retry()

    assert await job.result(5) == 2
    await job.refresh()
    assert (job.attempts_made, job.failed_reason) == (2, None)


async def test_progress_and_logs_are_read_by_toril(node: NodePeer, queue: Queue) -> None:
    await node.work()
    rows = ["first", "zweite Zeile: ä", "third"]
    progress: list[Any] = [10, 55.5, "half", {"at": "end"}]

    job = await queue.add("report", {"rows": rows, "progress": progress}, keep_logs=2)
    assert await job.result(5) == "reported by node"

    logs = await job.logs()
    assert (logs.rows, logs.count) == (rows[-2:], 2)
    await job.refresh()
    assert job.progress == {"at": "end"}


async def test_the_name_of_the_worker_is_read_by_toril(node: NodePeer, queue: Queue) -> None:
    await node.work(name="berta")
    job = await queue.add("echo")
    await job.result(5)

    await job.refresh()

    assert job.processed_by == "berta"


@pytest.mark.parametrize(("keep", "left"), [(Keep(count=2), [3, 2]), (True, [])], ids=repr)
async def test_retention_set_by_toril_is_honoured(
    node: NodePeer, queue: Queue, keep: bool | Keep, left: list[int]
) -> None:
    # Of those that finish in the same ms the one with the larger id counts as later: so all have one digit.
    good = [await queue.add("echo", number, remove_on_complete=keep) for number in range(4)]
    bad = [await queue.add("give-up", number, remove_on_fail=keep) for number in range(4)]

    await node.work(concurrency=1)
    await node.notes_of(4, event="completed")
    await node.notes_of(4, event="failed")

    assert [job.data for job in await queue.get_completed()] == left
    assert [job.data for job in await queue.get_failed()] == left
    assert await good[0].state() == "unknown"
    assert await bad[0].state() == "unknown"


async def test_a_removed_job_is_not_run(node: NodePeer, queue: Queue) -> None:
    job = await queue.add("echo", "removed")
    other = await queue.add("echo", "other")
    await job.remove()

    await node.work()

    assert await other.result(5) == "other"
    assert await eventually(lambda: node.noted(event="completed", jobId=other.id))
    assert node.noted(event="active", jobId=job.id) == []
    assert await node.job(job.id) is None
