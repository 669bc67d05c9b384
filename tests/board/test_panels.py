"""What the board shows beside jobs: schedulers, workers, throughput, the server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.board.board import Board, Shown
from tests.support.clock import Clock
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerFactory, WorkerStarter
from toril import Job, JobSpec, Queue, Unrecoverable
from toril.store.contract import Store


async def do_nothing(job: Job) -> None:
    """Nothing."""


def ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


async def schedulers(board: Board) -> dict[str, Any]:
    found = (await board.ask("GET", "/api/job-schedulers"))["schedulers"]
    return {scheduler["id"]: scheduler for scheduler in found}


async def test_schedulers_are_shown_with_their_next_run(board: Board, shown: Shown, queue: Queue) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=900)
    template = JobSpec("report", {"to": "team"}, {"attempts": 3, "priority": 2})
    by_line = await queue.upsert_job_scheduler(
        "morning", template, cron="0 9 * * 1-5", tz="Europe/Berlin", end=end, limit=50
    )
    by_interval = await queue.upsert_job_scheduler("pulse", every=600, offset=30)

    found = await schedulers(board)

    assert set(found) == {"morning", "pulse"}
    assert by_line is not None
    assert by_interval is not None
    morning, pulse = found["morning"], found["pulse"]
    assert {scheduler["queueName"] for scheduler in found.values()} == {shown.name}
    assert (morning["name"], morning["pattern"], morning["tz"]) == ("report", "0 9 * * 1-5", "Europe/Berlin")
    assert (morning["limit"], morning["endDate"]) == (50, ms(end))
    assert morning["template"]["data"] == {"to": "team"}
    assert (morning["template"]["opts"]["attempts"], morning["template"]["opts"]["priority"]) == (3, 2)
    assert (pulse["every"], pulse["iterationCount"]) == (600_000, 1)
    assert [morning["nextRunJobId"], pulse["nextRunJobId"]] == [by_line.id, by_interval.id]
    assert pulse["next"] == int(by_interval.id.rpartition(":")[2])
    assert (await board.queues())[shown.name]["jobSchedulerCount"] == 2


async def test_the_last_run_of_a_scheduler_is_shown(
    board: Board, queue: Queue, start_worker: WorkerStarter
) -> None:
    first = await queue.upsert_job_scheduler("pulse", every=600)
    assert first is not None
    await start_worker(do_nothing)
    await first.result(5)

    pulse = (await schedulers(board))["pulse"]

    assert pulse["iterationCount"] == 2
    assert pulse["lastRunJobId"] == first.id
    assert pulse["nextRunJobId"] == f"repeat:pulse:{pulse['next']}"
    await first.refresh()
    assert first.processed_at is not None
    assert abs(pulse["lastRun"] - ms(first.processed_at)) < 1000


async def test_workers_are_listed_with_and_without_names(
    board: Board, shown: Shown, queue: Queue, start_worker: WorkerStarter, new_queue: QueueFactory
) -> None:
    other = await new_queue("other").ready()
    await start_worker(do_nothing, name="left:hand")
    await start_worker(do_nothing)

    async def both_are_listed() -> list[Any] | None:
        workers = (await shown.get("workers"))["workers"]
        return workers if len(workers) == 2 else None

    workers = await eventually(both_are_listed)

    assert workers is not None
    assert {worker["name"] for worker in workers} == {"left:hand", None}
    assert all(worker["addr"] and worker["age"] >= 0 for worker in workers)
    queues = await board.queues()
    assert queues[shown.name]["hasWorkers"] is True
    assert queues[f"{shown.name.rpartition(':')[0]}:{other.name}"]["hasWorkers"] is False


async def test_a_worker_that_has_left_is_not_listed(
    shown: Shown, queue: Queue, new_worker: WorkerFactory
) -> None:
    worker = new_worker(do_nothing, name="brief")
    await worker.start()

    async def names() -> list[str]:
        return [listed["name"] for listed in (await shown.get("workers"))["workers"]]

    async def listed() -> bool:
        return await names() == ["brief"]

    async def gone() -> bool:
        return await names() == []

    await eventually(listed)
    await worker.close()
    await eventually(gone)


async def test_throughput_is_shown_minute_by_minute(
    shown: Shown, queue: Queue, store: Store, clock: Clock, start_worker: WorkerStarter
) -> None:
    async def work(job: Job) -> None:
        if job.data == "bad":
            raise Unrecoverable("broken")

    await start_worker(work, store=store, metrics_points=60)
    for minute, names in enumerate(("good good bad", "good good good good", "bad", "good bad"), 1):
        await queue.add_many(("work", name) for name in names.split())
        total = {1: (2, 1), 2: (6, 1), 3: (6, 2), 4: (7, 3)}[minute]
        await eventually(lambda total=total: has_finished(shown, *total))
        clock.forward(60)

    metrics = await shown.get("metrics")

    # The latest minute is not over, so it is counted and has no point yet.
    assert metrics["completed"]["meta"]["count"] == 7
    assert metrics["completed"]["data"] == [0, 4, 2]
    assert metrics["failed"]["meta"]["count"] == 3
    assert metrics["failed"]["data"] == [1, 0, 1]
    mine = [await queue.get_metrics(state) for state in ("completed", "failed")]
    assert [found.data for found in mine] == [[0, 4, 2], [1, 0, 1]]


async def has_finished(shown: Shown, completed: int, failed: int) -> bool:
    counts = await shown.counts()
    return (counts.get("completed", 0), counts.get("failed", 0)) == (completed, failed)


async def test_the_server_is_shown(board: Board, queue: Queue) -> None:
    stats = await board.ask("GET", "/api/redis/stats")

    assert stats["backend"] == "redis"
    assert stats["version"]
    assert stats["clients"]["connected"] >= 2
    assert stats["memory"]["used"] > 0


async def test_default_options_are_shown_where_they_count(shown: Shown, new_queue: QueueFactory) -> None:
    queue = new_queue(default_job_options={"attempts": 4, "backoff": 2})
    job = await queue.add("plain")

    # They belong to the program that adds, so a board knows only its own, for the jobs that it adds itself.
    assert await shown.get("default-job-options") == {}
    opts = (await shown.job(job.id))["opts"]
    assert (opts["attempts"], opts["backoff"]) == (4, {"type": "fixed", "delay": 2000})


async def test_limits_of_the_queue_are_shown(shown: Shown, queue: Queue) -> None:
    page = await shown.page()
    assert (page["globalConcurrency"], page["activeRateLimitTtl"]) == (None, 0)
    assert await shown.get("rate-limit") == {"supported": True, "rateLimit": None}

    await queue.set_global_concurrency(3)
    await queue.set_global_rate_limit(10, 2.5)
    await queue.rate_limit(60)

    page = await shown.page()
    assert page["globalConcurrency"] == 3
    assert 0 < page["activeRateLimitTtl"] <= 60_000
    assert (await shown.get("rate-limit"))["rateLimit"] == {"max": 10, "duration": 2500}
