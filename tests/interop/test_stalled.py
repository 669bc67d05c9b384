"""One side is killed, the other finishes its jobs."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import Working
from tests.interop.node import QUEUE, NodePeer
from tests.interop.peer import PARENTS
from tests.interop.program import Program
from tests.interop.scripted import scripted
from tests.support.eventually import eventually
from toril import Flow, FlowProducer, Job, JobFailed, Queue
from toril.embedded import EmbeddedServer

ROOT = Path(__file__).parent.parent.parent
# In ms: short enough for a test, long enough for a machine that is busy.
NODE: dict[str, Any] = {"lockDuration": 1000, "stalledInterval": 300, "concurrency": 5}


Starter = Callable[[], Program]


@pytest.fixture
async def lone_worker(server: EmbeddedServer, prefix: str) -> AsyncIterator[Starter]:
    """Starts a worker of toril in a process of its own."""
    started: list[Program] = []

    def start() -> Program:
        command = (sys.executable, "-m", "tests.interop.lone_worker", server.url, prefix, QUEUE)
        program = Program(*command, PYTHONPATH=os.pathsep.join([str(ROOT), *sys.path]))
        started.append(program)
        program.attach()
        return program

    yield start
    for program in started:
        program.end()


@pytest.fixture
async def doomed(lone_worker: Starter) -> Program:
    """Such a worker, which is running from the beginning on."""
    return lone_worker()


async def test_toril_finishes_what_a_killed_node_has_begun(
    node: NodePeer, queue: Queue, working: Working
) -> None:
    await node.work(**NODE)
    jobs = [await queue.add("hang-first", attempts=2) for _ in range(3)]
    for job in jobs:
        await node.did("active", job.id)
    stalled: list[str] = []

    node.kill()
    async with working(stalled_interval=0.3) as worker:
        worker.on("stalled", stalled.append)
        results = [await job.result(8) for job in jobs]

    assert results == ["finished by toril"] * 3
    assert sorted(stalled) == sorted(job.id for job in jobs)
    for job in jobs:
        await job.refresh()
        # To be given back is no failed attempt.
        assert (job.attempts_started, job.attempts_made, job.stalled_counter) == (2, 1, 1)
        assert job.stacktrace == []


async def test_node_finishes_what_a_killed_toril_has_begun(
    node: NodePeer, queue: Queue, doomed: Program
) -> None:
    jobs = [await queue.add("hang-first", attempts=2) for _ in range(3)]
    for job in jobs:
        await doomed.note(event="active", jobId=job.id)

    doomed.kill()
    await node.listen()
    await node.work(**NODE)
    results = [await job.result(8) for job in jobs]

    assert results == ["finished by node"] * 3
    for job in jobs:
        assert await node.told("stalled", job.id) == {"jobId": job.id}
        read = await node.job(job.id)
        assert (read["attemptsStarted"], read["attemptsMade"], read["stalledCounter"]) == (2, 1, 1)


async def test_node_takes_at_once_what_a_closing_toril_gives_back(
    node: NodePeer, queue: Queue, working: Working
) -> None:
    started = asyncio.Event()

    async def hang(job: Job) -> None:
        started.set()
        await scripted(job)

    async with working(hang) as worker:
        job = await queue.add("hang-first")
        await started.wait()
        # It looks for stalled jobs only when this test is over.
        await node.work()
        await worker.close(force=True)

    assert await job.result(5) == "finished by node"
    await job.refresh()
    assert (job.attempts_started, job.attempts_made, job.stalled_counter) == (2, 1, 0)


async def test_a_side_that_lives_keeps_its_jobs(node: NodePeer, queue: Queue, working: Working) -> None:
    """Both look for stalled jobs all the time, and neither takes what the other one still runs."""
    await node.work(**NODE)
    async with working(lock_duration=1.0, stalled_interval=0.3, concurrency=5) as worker:
        stalled: list[str] = []
        worker.on("stalled", stalled.append)
        jobs = [await queue.add("slow", {"ms": 2000}) for _ in range(8)]
        results = [await job.result(8) for job in jobs]

    assert set(results) == {"node", "toril"}
    assert stalled == node.noted(event="stalled") == []
    for job in jobs:
        await job.refresh()
        assert (job.attempts_started, job.stalled_counter) == (1, 0)


async def test_a_job_that_stalls_too_often_is_failed_by_toril(
    node: NodePeer, queue: Queue, working: Working
) -> None:
    await node.work(**NODE)
    job = await queue.add("hang", attempts=3)
    await node.did("active", job.id)
    runs: list[str] = []

    async def note_run(taken: Job) -> None:
        runs.append(taken.id)

    node.kill()
    async with working(note_run, stalled_interval=0.3, max_stalled_count=0):
        with pytest.raises(JobFailed, match="job stalled more than allowable limit"):
            await job.result(8)

    assert runs == []
    await job.refresh()
    assert (job.attempts_made, job.stalled_counter) == (1, 1)


async def test_a_job_that_stalls_too_often_is_failed_by_node(
    node: NodePeer, queue: Queue, doomed: Program
) -> None:
    job = await queue.add("hang", attempts=3)
    await doomed.note(event="active", jobId=job.id)

    doomed.kill()
    await node.work(**NODE, maxStalledCount=0)
    with pytest.raises(JobFailed, match="job stalled more than allowable limit"):
        await job.result(8)

    await eventually(lambda: node.noted(event="failed", jobId=job.id))
    read = await node.job(job.id)
    assert (read["state"], read["attemptsMade"], read["stalledCounter"]) == ("failed", 1, 1)


@pytest.mark.parametrize("killed", ["node", "toril"])
async def test_a_parent_runs_after_its_child_was_rescued(
    node: NodePeer, flows: FlowProducer, working: Working, lone_worker: Starter, killed: str
) -> None:
    """The side that runs the child is killed; the other one finishes it and then runs the parent."""
    child = Flow("hang-first", queue=QUEUE, attempts=2, on_failure="fail_parent")
    tree = await flows.add(Flow("gather", queue=PARENTS, children=[child, Flow("echo", 1, queue="others")]))
    hanging = tree.children[0].job
    if killed == "node":
        await node.work(**NODE)
        await node.did("active", hanging.id)
        node.kill()
        rescuers = [working(stalled_interval=0.3), working(queue=PARENTS), working(queue="others")]
        async with AsyncExitStack() as stack:
            for rescuer in rescuers:
                await stack.enter_async_context(rescuer)
            values = await tree.job.result(8)
    else:
        doomed = lone_worker()
        await doomed.note(event="active", jobId=hanging.id)
        doomed.kill()
        await node.work(**NODE)
        await node.work(queue=PARENTS)
        await node.work(queue="others")
        values = await tree.job.result(8)

    side = "toril" if killed == "node" else "node"
    assert sorted(values.values(), key=str) == [1, f"finished by {side}"]
    await hanging.refresh()
    assert (hanging.attempts_started, hanging.stalled_counter) == (2, 1)


async def test_the_rest_of_the_queue_goes_on(node: NodePeer, queue: Queue, doomed: Program) -> None:
    """A side that is killed in the middle of much work: each job is finished once, most of them at once."""
    await node.work(**NODE)
    await doomed.note(event="ready")
    jobs = [
        job for job in await queue.add_many(("slow", {"ms": 10}) for _ in range(200)) if isinstance(job, Job)
    ]
    await doomed.notes_of(20, event="active")

    doomed.kill()
    results = [await job.result(8) for job in jobs]

    assert set(results) == {"node", "toril"}
    counts = await queue.get_job_counts()
    assert (counts.pop("completed"), set(counts.values())) == (200, {0})
    again = [job for job in await queue.get_completed() if job.stalled_counter]
    assert all(job.return_value == "node" and job.attempts_started == 2 for job in again)
