"""What the board does to job schedulers of toril, and how toril's workers go on with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.board.board import Refused, Shown
from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from toril import Job, JobSpec, Queue


async def test_the_next_run_of_a_scheduler_is_protected(shown: Shown, queue: Queue) -> None:
    job = await queue.upsert_job_scheduler("daily", cron="0 5 * * *")
    assert job is not None

    with pytest.raises(Refused) as caught:
        await shown.put(job.id, "clean")

    assert caught.value.status == 400
    assert caught.value.body["jobSchedulerId"] == "daily"
    assert await job.state() == "delayed"


async def test_cleaning_and_emptying_spare_the_next_run(shown: Shown, queue: Queue) -> None:
    job = await queue.upsert_job_scheduler("daily", cron="0 5 * * *")
    assert job is not None

    await shown.put("clean", "delayed")
    await shown.put("empty")

    assert await job.state() == "delayed"


async def test_a_scheduler_is_removed(shown: Shown, queue: Queue) -> None:
    job = await queue.upsert_job_scheduler("daily", cron="0 5 * * *")
    assert job is not None

    await shown.put("job-schedulers", "daily", "remove")

    assert await queue.get_job_scheduler("daily") is None
    assert await queue.get_job(job.id) is None
    with pytest.raises(Refused) as caught:
        await shown.put("job-schedulers", "daily", "remove")
    assert caught.value.status == 404


async def test_a_scheduler_that_the_board_edits_is_advanced_by_a_worker(
    shown: Shown, queue: Queue, start_worker: WorkerStarter
) -> None:
    ran: list[object] = []

    async def work(job: Job) -> None:
        ran.append((job.name, job.data, job.attempts))

    template = JobSpec("report", {"to": "team"}, {"attempts": 3})
    await queue.upsert_job_scheduler("daily", template, cron="0 5 * * *", tz="Europe/Berlin")
    await start_worker(work, drain_delay=60)

    await shown.patch("job-schedulers", "daily", every=40)

    await eventually(lambda: len(ran) >= 3)
    assert set(map(str, ran)) == {str(("report", {"to": "team"}, 3))}
    scheduler = await queue.get_job_scheduler("daily")
    assert scheduler is not None
    assert (scheduler.every, scheduler.cron) == (0.04, None)
    assert scheduler.iteration_count >= 3
    assert (await queue.get_job_counts("delayed", "waiting", "active"))["delayed"] <= 1


async def test_an_interval_becomes_a_cron_line_and_a_worker_keeps_to_it(
    shown: Shown, queue: Queue, start_worker: WorkerStarter
) -> None:
    ran: list[str] = []

    async def work(job: Job) -> None:
        ran.append(job.id)

    await queue.upsert_job_scheduler("pulse", every=3600)
    await shown.patch("job-schedulers", "pulse", pattern="* * * * * *", limit=2)
    await start_worker(work, drain_delay=60)

    await eventually(lambda: len(ran) == 2)

    times = [int(id.rpartition(":")[2]) for id in ran]
    assert [time % 1000 for time in times] == [0, 0]
    assert times[0] < times[1]
    assert await queue.get_job_counts("delayed") == {"delayed": 0}


async def test_a_scheduler_gets_an_end_from_the_board(shown: Shown, queue: Queue) -> None:
    await queue.upsert_job_scheduler("daily", JobSpec("report", [1]), cron="0 5 * * *")
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)

    await shown.patch(
        "job-schedulers",
        "daily",
        pattern="30 6 * * *",
        tz="Asia/Tokyo",
        endDate=round(end.timestamp() * 1000),
    )

    scheduler = await queue.get_job_scheduler("daily")
    assert scheduler is not None
    assert (scheduler.cron, scheduler.tz, scheduler.end) == ("30 6 * * *", "Asia/Tokyo", end)
    assert (scheduler.name, scheduler.data) == ("report", [1])
    assert scheduler.next_at.astimezone(UTC).strftime("%H:%M:%S") == "21:30:00"


async def test_a_program_brings_its_own_schedule_back(shown: Shown, queue: Queue) -> None:
    await queue.upsert_job_scheduler("daily", cron="0 5 * * *", tz="Europe/Berlin")
    await shown.patch("job-schedulers", "daily", every=60_000)

    job = await queue.upsert_job_scheduler("daily", cron="0 5 * * *", tz="Europe/Berlin")

    scheduler = await queue.get_job_scheduler("daily")
    assert scheduler is not None
    assert (scheduler.cron, scheduler.tz, scheduler.every) == ("0 5 * * *", "Europe/Berlin", None)
    assert job is not None
    assert await shown.ids("delayed") == [job.id]


async def test_a_wrong_cron_line_is_refused(shown: Shown, queue: Queue) -> None:
    await queue.upsert_job_scheduler("daily", cron="0 5 * * *")

    with pytest.raises(Refused) as caught:
        await shown.patch("job-schedulers", "daily", pattern="0 99 * * *")

    assert caught.value.status == 400
    scheduler = await queue.get_job_scheduler("daily")
    assert scheduler is not None
    assert scheduler.cron == "0 5 * * *"


async def test_a_scheduler_is_run_at_once(shown: Shown, queue: Queue, start_worker: WorkerStarter) -> None:
    async def echo(job: Job) -> object:
        return [job.name, job.data]

    pending = await queue.upsert_job_scheduler("daily", JobSpec("report", {"to": "team"}), cron="0 5 * * *")
    assert pending is not None
    await start_worker(echo)

    added = await shown.put("job-schedulers", "daily", "run")

    job = await queue.get_job(added["job"]["id"])
    assert job is not None
    assert await job.result(5) == ["report", {"to": "team"}]
    assert await pending.state() == "delayed"
