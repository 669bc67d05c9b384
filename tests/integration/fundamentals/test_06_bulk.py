"""Many jobs in one go."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.database import Database
from toril import DuplicateJob, Job, JobSpec, OptionError, ParentNotFound, ParentRef, Queue


async def test_many_jobs_are_added_in_order(queue: Queue) -> None:
    jobs = await queue.add_many([("work", {"n": n}) for n in range(500)])

    assert [job.id for job in jobs if isinstance(job, Job)] == [str(n + 1) for n in range(500)]
    assert [job.data["n"] for job in await queue.get_waiting(0, 2)] == [0, 1, 2]


async def test_each_may_have_options_of_its_own(queue: Queue) -> None:
    await queue.add_many(
        [
            ("plain", None),
            ("late", {"x": 1}, {"delay": 60}),
            JobSpec("urgent", options={"priority": 1}),
        ]
    )

    assert await queue.get_job_counts("waiting", "delayed", "prioritized") == {
        "waiting": 1,
        "delayed": 1,
        "prioritized": 1,
    }


async def test_one_that_is_refused_does_not_harm_the_others(queue: Queue) -> None:
    await queue.add("work", job_id="a")

    answers = await queue.add_many(
        [
            ("work", None),
            ("work", None, {"job_id": "a", "on_duplicate": "raise"}),
            ("work", None, {"parent": ParentRef("gone", "bull:gone")}),
            ("work", None),
        ]
    )

    assert [type(answer) for answer in answers] == [Job, DuplicateJob, ParentNotFound, Job]
    assert await queue.count() == 3


async def test_or_all_are_refused_together(queue: Queue, database: Database) -> None:
    await queue.add("work", job_id="a")
    before = database.dump()

    with pytest.raises(DuplicateJob):
        await queue.add_many(
            [("work", None), ("work", None, {"job_id": "a", "on_duplicate": "raise"})], atomic=True
        )

    assert database.dump() == before


async def test_an_option_that_can_not_be_used_stops_all(queue: Queue, database: Database) -> None:
    before = database.dump()
    priority: Any = 1.5

    with pytest.raises(OptionError):
        await queue.add_many([("work", None), ("work", None, {"priority": priority})])

    assert database.dump() == before


async def test_no_jobs_are_no_problem(queue: Queue) -> None:
    assert await queue.add_many([]) == []


async def test_adds_at_the_same_time_share_a_call(queue: Queue, database: Database) -> None:
    await queue.add("warm up")
    database.command("CONFIG", "RESETSTAT")

    jobs = await asyncio.gather(*(queue.add("work", {"n": n}) for n in range(300)))

    assert database.command("INFO", "commandstats")["cmdstat_evalsha"]["calls"] <= 10
    assert len({job.id for job in jobs}) == 300
    assert [job.data["n"] for job in jobs] == list(range(300))
