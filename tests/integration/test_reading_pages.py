"""Pages, ranges and counts of jobs, whatever stands in the keys of a queue."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

import toril.sync
from tests.support.database import Database
from toril import Job, OptionError, Queue

Span = tuple[int, int]


def ids(jobs: list[Job]) -> list[str]:
    return [job.id for job in jobs]


async def ten_with_holes(queue: Queue, database: Database, delay: int = 0) -> None:
    """Jobs 1 to 10, of which 1, 3, 4, 8 and 10 are gone."""
    for number in range(1, 11):
        await queue.add("work", number, delay=delay * number)
    database.command("DEL", *(queue.ref.job_key(str(number)) for number in (1, 3, 4, 8, 10)))


# What BullMQ 6.7 gave for the same ranges of the same jobs.
ASCENDING: dict[Span, list[str]] = {
    (0, 0): ["2"],
    (0, 1): ["2", "5"],
    (0, 2): ["2", "5", "6"],
    (1, 1): ["2"],
    (1, 2): ["2", "5"],
    (2, 3): ["5", "6"],
    (2, -2): ["5", "6", "7", "9"],
    (0, -1): ["2", "5", "6", "7", "9"],
    (0, 5): ["2", "5", "6", "7", "9"],
    (8, 20): ["9"],
    (9, 9): [],
    (10, 20): [],
    (5, 3): [],
    (-3, -1): ["9"],
    (-3, -2): ["9"],
    (-4, -4): ["7"],
    (-2, 1): [],
    (-20, 2): ["2"],
}
DESCENDING: dict[Span, list[str]] = {
    (0, 0): ["9"],
    (0, 1): ["9", "7"],
    (0, 2): ["9", "7", "6"],
    (1, 2): ["9", "7"],
    (2, 3): ["7", "6"],
    (2, -2): ["7", "6", "5", "2"],
    (0, -1): ["9", "7", "6", "5", "2"],
    (8, 20): ["2"],
    (9, 9): [],
    (-3, -1): ["2"],
    (-4, -4): [],
    (-2, 1): [],
}


@pytest.mark.parametrize("state", ["waiting", "delayed"])
async def test_pages_are_filled_up_where_jobs_are_gone(queue: Queue, database: Database, state: str) -> None:
    await ten_with_holes(queue, database, 100 if state == "delayed" else 0)

    found = {span: ids(await queue.get_jobs(state, *span, ascending=True)) for span in ASCENDING}
    assert found == ASCENDING
    assert {span: ids(await queue.get_jobs(state, *span)) for span in DESCENDING} == DESCENDING


async def test_a_page_looks_no_farther_than_five_times_its_length(queue: Queue, database: Database) -> None:
    for number in range(1, 31):
        await queue.add("work", priority=number, job_id=f"m{number}")
    database.command("DEL", *(queue.ref.job_key(f"m{number}") for number in range(3, 21)))

    async def page(start: int, end: int) -> list[str]:
        return ids(await queue.get_jobs("prioritized", start, end, ascending=True))

    assert await page(0, 3) == ["m1", "m2"]
    assert await page(0, 4) == ["m1", "m2", "m21", "m22", "m23"]
    assert await page(2, 2) == []
    assert await page(2, 5) == ["m21", "m22"]


async def test_ranges_are_ids_whether_there_is_a_job_or_not(queue: Queue, database: Database) -> None:
    await ten_with_holes(queue, database)

    assert await queue.get_ranges("waiting") == ["10", "9"]
    assert await queue.get_ranges("wait", 0, 3, ascending=True) == ["1", "2", "3", "4"]
    assert await queue.get_ranges(["wait", "waiting", "delayed"], -2, -1) == ["2", "1"]
    assert await queue.get_ranges([], 0, -1) == []


async def test_what_is_no_job_breaks_no_page(queue: Queue, database: Database) -> None:
    for number in range(4):
        await queue.add("work", number)
    base = queue.ref.base
    database.command("SET", f"{base}text", "no job")
    database.command("HSET", f"{base}odd", "data", "{", "opts", "[]", "timestamp", "soon", "stacktrace", "1")
    database.command("LPUSH", f"{base}wait", "text", "meta", "odd", "")
    database.command("EVAL", "redis.call('LPUSH', KEYS[1], '\\255\\254')", 1, f"{base}wait")

    jobs = await queue.get_jobs("waiting", 0, 9)
    assert [job.id for job in jobs] == ["odd", "meta", "4", "3", "2", "1"]
    assert (jobs[0].opts, jobs[0].timestamp_ms, jobs[0].stacktrace) == ({}, 0, [])
    assert [job.id async for job in queue.iter_jobs("waiting")] == ["1", "2", "3", "4", "meta", "odd"]
    assert len(await queue.get_ranges("waiting", 0, -1)) == 9


@pytest.mark.parametrize("state", ["wait", "paused"])
async def test_markers_of_old_versions_are_no_jobs(queue: Queue, database: Database, state: str) -> None:
    key = f"{queue.ref.base}{state}"
    database.command("RPUSH", key, "0:1")
    assert await queue.get_job_counts(state) == {state: 0}
    assert await queue.get_ranges(state, 0, -1) == []
    assert await queue.get_jobs(state) == []
    assert database.command("LRANGE", key, 0, -1) == ["0:1"]

    database.command("LPUSH", key, "x")
    assert await queue.get_ranges(state, 0, -1) == ["x"]
    assert database.command("LRANGE", key, 0, -1) == ["x"]


async def test_a_page_of_thousands_is_as_it_was_at_its_first_step(queue: Queue) -> None:
    await queue.add_many(("work", number) for number in range(4_000))

    jobs = await queue.get_jobs("waiting", ascending=True)
    assert ids(jobs) == [str(number) for number in range(1, 4_001)]
    assert [job.data for job in jobs] == list(range(4_000))
    some = await queue.get_jobs(["waiting", "delayed"], 1_000, 2_499)
    assert ids(some) == [str(number) for number in range(3_000, 1_500, -1)]
    assert len(await queue.get_ranges("waiting", 0, -1)) == 4_000


async def test_a_long_page_is_filled_up_too(queue: Queue, database: Database) -> None:
    await queue.add_many(("work", number) for number in range(3_000))
    database.command("DEL", *(queue.ref.job_key(str(number)) for number in range(1, 1_801)))

    page = await queue.get_jobs("waiting", 0, 999, ascending=True)
    assert ids(page) == [str(number) for number in range(1_801, 2_801)]


async def test_counts_know_the_names_of_old(queue: Queue, database: Database) -> None:
    await queue.add("work")
    await queue.add("work", delay=60)
    base = queue.ref.base
    database.command("RPUSH", f"{base}paused", "a", "b")
    database.command("ZADD", f"{base}repeat", 1, "daily")

    assert await queue.get_job_counts("waiting", "wait", "paused", "repeat") == {
        "waiting": 1,
        "wait": 1,
        "paused": 2,
        "repeat": 1,
    }
    assert await queue.get_job_count_by_types("waiting", "delayed", "waiting") == 2
    assert await queue.get_job_count_by_types() == 2
    with pytest.raises(OptionError, match="did you mean 'waiting'"):
        await queue.get_job_counts("waitng")


async def test_delayed_jobs_due_before_an_instant(queue: Queue) -> None:
    start = datetime.now(UTC).replace(microsecond=0)
    for seconds in (100, 200, 300):
        await queue.add("work", timestamp=start, delay=seconds)

    assert await queue.get_delayed_count() == 3
    assert await queue.get_delayed_count(start + timedelta(seconds=200)) == 1
    assert await queue.get_delayed_count(start + timedelta(seconds=200.001)) == 2
    with pytest.raises(OptionError, match="no time zone"):
        await queue.get_delayed_count(start.replace(tzinfo=None))


async def test_counts_per_priority_take_one_call(queue: Queue) -> None:
    for priority in (0, 0, 1, 2_097_151, 2_097_151, 2_097_151):
        await queue.add("work", priority=priority)

    assert await queue.get_counts_per_priority([0, 1, 2, 2_097_151, 1]) == {0: 2, 1: 1, 2: 0, 2_097_151: 3}
    with pytest.raises(OptionError, match="between 0 and 2097151"):
        await queue.get_counts_per_priority([-1])


async def test_numbers_of_the_meta_may_be_none(queue: Queue, database: Database) -> None:
    database.command(
        *("HSET", f"{queue.ref.base}meta", "concurrency", "many", "max", "1.5", "duration", "inf"),
        *("own", "1", "paused", "0"),
    )

    meta = await queue.get_meta()
    assert meta.pop("version").startswith("toril:")
    assert meta == {
        "paused": False,
        "concurrency": None,
        "max": 1.5,
        "duration": None,
        "own": "1",
        "max_len_events": 10_000,
    }


@pytest.mark.parametrize(
    ("start", "end", "option"), [("0", 1, "start"), (0, 1.0, "end"), (0, 2**60, "end"), (True, 1, "start")]
)
async def test_positions_are_whole_numbers(queue: Queue, start: int, end: int, option: str) -> None:
    with pytest.raises(OptionError, match=option):
        await queue.get_jobs("waiting", start, end)


async def test_blocking_code_reads_the_same(queue: Queue, url: str, prefix: str) -> None:
    await queue.add_many([("work", 1), ("work", 2), ("work", 3, {"delay": 60})])

    def read() -> None:
        with toril.sync.Queue("tasks", url=url, prefix=prefix) as blocking:
            assert blocking.get_ranges("waiting", 0, -1) == ["2", "1"]
            assert blocking.get_job_count_by_types() == 3
            assert blocking.get_delayed_count(datetime.now(UTC)) == 0
            jobs = list(blocking.iter_jobs(["waiting", "delayed"]))
            assert sorted((job.id, job.state()) for job in jobs) == [
                ("1", "waiting"),
                ("2", "waiting"),
                ("3", "delayed"),
            ]

    await asyncio.to_thread(read)
