"""The server does what it is asked, and its answer gets lost: nothing is lost, and nothing happens twice."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerStarter
from tests.support.proxy import Proxy
from tests.support.requests import runs
from toril import DuplicateJob, Job, Queue, StoreUnavailable


@pytest.fixture
async def behind(new_queue: QueueFactory, proxy: Proxy) -> Queue:
    """The queue seen from behind the relay; the server knows its scripts already."""
    queue = new_queue(url=proxy.url)
    await (await queue.add("warm up")).remove()
    return queue


class Runs:
    """A handler that counts, and fails at first so many times."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.counts: Counter[str] = Counter()

    async def __call__(self, job: Job) -> str:
        self.counts[job.name] += 1
        if self.counts[job.name] <= self.failures:
            raise ValueError("not yet")
        return job.name


def told(database: Database, prefix: str, event: str) -> list[str]:
    """Ids of the jobs for which an event was told."""
    return [entry["jobId"] for entry in database.events(f"{prefix}:tasks:") if entry["event"] == event]


async def test_an_add_is_carried_out_once(behind: Queue, proxy: Proxy) -> None:
    proxy.lose_reply(runs("add_plain"))
    job = await behind.add("work", {"n": 1})

    assert (proxy.lost, job.created, await behind.count()) == (1, True, 1)
    stored = await behind.get_job(job.id)
    assert stored is not None
    assert stored.data == {"n": 1}


async def test_it_is_carried_out_once_though_several_replies_get_lost(behind: Queue, proxy: Proxy) -> None:
    for _ in range(3):
        proxy.lose_reply(runs("add_plain"))
    job = await behind.add("work")

    assert (proxy.lost, await behind.count()) == (3, 1)
    assert await job.state() == "waiting"


async def test_adds_at_the_same_time_each_get_their_own_answer(behind: Queue, proxy: Proxy) -> None:
    proxy.lose_reply(runs("add_plain"))
    jobs = await asyncio.gather(*(behind.add("work", n) for n in range(250)))

    assert await behind.count() == 250
    assert sorted({int(job.id) for job in jobs}) == list(range(2, 252))
    for job in (jobs[0], jobs[120], jobs[249]):
        stored = await behind.get_job(job.id)
        assert stored is not None
        assert stored.data == job.data


async def test_a_bulk_is_added_once_and_in_order(behind: Queue, proxy: Proxy) -> None:
    proxy.lose_reply(runs("add_plain"))
    jobs = await behind.add_many([("work", n) for n in range(450)])

    assert [job.id for job in jobs if isinstance(job, Job)] == [str(n) for n in range(2, 452)]
    assert [job.data for job in await behind.get_waiting()] == list(range(450))


@pytest.mark.parametrize("atomic", [False, True])
async def test_each_of_a_bulk_gets_the_answer_that_got_lost(
    behind: Queue, proxy: Proxy, atomic: bool
) -> None:
    proxy.lose_reply(runs("add"))
    jobs = await behind.add_many(
        [("work", None, {"job_id": "mine", "on_duplicate": "raise"}), ("work", None)], atomic=atomic
    )

    assert [job.id for job in jobs if isinstance(job, Job)] == ["mine", "3"]
    assert proxy.lost == 1


async def test_an_add_is_no_duplicate_of_itself(behind: Queue, proxy: Proxy) -> None:
    proxy.lose_reply(runs("add"))
    job = await behind.add("work", job_id="mine", on_duplicate="raise")

    assert job.created
    with pytest.raises(DuplicateJob):
        await behind.add("work", job_id="mine", on_duplicate="raise")


async def test_a_finished_job_is_finished_once(
    queue: Queue, proxy: Proxy, start_worker: WorkerStarter, database: Database, prefix: str
) -> None:
    handler = Runs()
    await start_worker(handler, url=proxy.url, metrics_points=5)
    await (await queue.add("first")).result(timeout=5)
    proxy.lose_reply(runs("settle"))
    job = await queue.add("second")
    assert await job.result(timeout=5) == "second"
    await eventually(lambda: proxy.lost == 1)
    await (await queue.add("third")).result(timeout=5)

    assert handler.counts == {"first": 1, "second": 1, "third": 1}
    assert Counter(told(database, prefix, "completed")) == {"1": 1, "2": 1, "3": 1}
    assert database.command("HGET", f"{prefix}:tasks:metrics:completed", "count") == "3"
    assert await queue.get_active_count() == 0


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_taken_jobs_are_found_again_and_run_once(
    queue: Queue, proxy: Proxy, start_worker: WorkerStarter, concurrency: int
) -> None:
    handler = Runs()
    await start_worker(handler, url=proxy.url, concurrency=concurrency)
    await (await queue.add("warm up")).result(timeout=5)
    for _ in range(3):
        proxy.lose_reply(runs("settle"))
    added = await queue.add_many([(f"job {n}", None) for n in range(40)])
    jobs = [job for job in added if isinstance(job, Job)]

    assert await asyncio.gather(*(job.result(timeout=10) for job in jobs)) == [job.name for job in jobs]
    assert proxy.lost == 3
    assert set(handler.counts.values()) == {1}


async def test_a_failed_attempt_is_counted_once(
    queue: Queue, proxy: Proxy, start_worker: WorkerStarter, database: Database, prefix: str
) -> None:
    def listener(*facts: object) -> None:
        failures.append(1)

    handler = Runs(failures=2)
    worker = await start_worker(handler, url=proxy.url)
    failures: list[int] = []
    worker.on("failed", listener)
    await (await queue.add("warm up", attempts=3)).result(timeout=5)
    failures.clear()
    proxy.lose_reply(runs("settle"))
    proxy.lose_reply(runs("settle"))
    job = await queue.add("work", attempts=4)
    assert await job.result(timeout=5) == "work"
    await job.refresh()

    assert (handler.counts["work"], job.attempts_made, job.attempts_started) == (3, 3, 3)
    assert len(failures) == 2


@pytest.mark.parametrize("kept", [0, 1])
async def test_a_job_that_is_not_kept_is_finished_once(
    queue: Queue, proxy: Proxy, start_worker: WorkerStarter, kept: int, database: Database, prefix: str
) -> None:
    handler = Runs()
    worker = await start_worker(handler, url=proxy.url, remove_on_complete=kept)
    errors: list[BaseException] = []
    worker.on("error", errors.append)
    await queue.add("first")
    await eventually(lambda: told(database, prefix, "completed"))
    proxy.lose_reply(runs("settle"))
    await queue.add("second")
    await eventually(lambda: len(told(database, prefix, "completed")) == 2 and proxy.lost == 1)
    await worker.close()

    assert handler.counts == {"first": 1, "second": 1}
    assert [type(error) for error in errors] == [StoreUnavailable]


async def test_a_call_that_may_not_be_repeated_tells_so(behind: Queue, proxy: Proxy) -> None:
    job = await behind.add("work")
    await job.log("first")
    proxy.lose_reply(runs("report"))

    with pytest.raises(StoreUnavailable):
        await job.log("second")
    assert (await job.logs()).rows == ["first", "second"]


async def test_readings_fail_and_work_again(behind: Queue, proxy: Proxy) -> None:
    await behind.add("work")
    proxy.lose_reply(runs("counts"))

    with pytest.raises(StoreUnavailable):
        await behind.count()
    assert await behind.count() == 1


async def test_whoever_waits_for_a_result_looks_again(
    behind: Queue, proxy: Proxy, start_worker: WorkerStarter
) -> None:
    await start_worker(Runs())
    await (await behind.add("first")).result(timeout=5)
    job = await behind.add("second")
    proxy.lose_reply(runs("outcome"))

    assert await job.result(timeout=10) == "second"
    assert proxy.lost == 1
