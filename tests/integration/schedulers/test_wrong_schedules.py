"""Wrong schedules are refused before anything is written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.database import Database
from toril import JobSpec, OptionError, Queue


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({}, "every"),
        ({"every": 0}, "every"),
        ({"every": -1}, "every"),
        ({"every": "1m"}, "every"),
        ({"every": 60, "cron": "* * * * *"}, "cron"),
        ({"cron": "* * * * *", "pattern": "* * * * *"}, "pattern"),
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "nonsense"}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"cron": "* * * * *", "tz": "Europe/Berlim"}, "tz"),
        ({"every": 60, "tz": "Mars/Base"}, "tz"),
        ({"every": 60, "limit": 0}, "limit"),
        ({"every": 60, "limit": -3}, "limit"),
        ({"every": 60, "end": datetime(2020, 1, 1, tzinfo=UTC)}, "end"),
        (
            {
                "every": 60,
                "start": datetime(2040, 1, 2, tzinfo=UTC),
                "end": datetime(2040, 1, 1, tzinfo=UTC),
            },
            "end",
        ),
        ({"every": 60, "start": datetime(2040, 1, 1, tzinfo=UTC).replace(tzinfo=None)}, "start"),
        (
            {"cron": "* * * * *", "immediately": True, "start": datetime(2040, 1, 1, tzinfo=UTC)},
            "immediately",
        ),
        ({"every": 60, "missed": "all"}, "missed"),
        ({"every": 60, "offset": -1}, "offset"),
        ({"evry": 60}, "evry"),
    ],
)
async def test_wrong_schedules_are_refused(
    queue: Queue, database: Database, options: dict[str, Any], option: str
) -> None:
    before = database.dump()
    with pytest.raises(OptionError) as raised:
        await queue.upsert_job_scheduler("s", **options)
    assert raised.value.option == option
    assert database.dump() == before


@pytest.mark.parametrize(
    ("id", "template", "option"),
    [
        ("", JobSpec("t"), "id"),
        ("a:b", JobSpec("t"), "id"),
        ("s", JobSpec("t", {}, {"job_id": "x"}), "job_id"),
        ("s", JobSpec("t", {}, {"delay": 5}), "delay"),
        ("s", JobSpec("t", {}, {"deduplication": {"id": "d"}}), "deduplication"),
        ("s", JobSpec("t", {}, {"attempts": -1}), "attempts"),
        ("s", JobSpec("t", float("inf")), "data"),
    ],
)
async def test_wrong_templates_are_refused(
    queue: Queue, database: Database, id: str, template: JobSpec, option: str
) -> None:
    before = database.dump()
    with pytest.raises(OptionError) as raised:
        await queue.upsert_job_scheduler(id, template, every=60)
    assert raised.value.option == option
    assert database.dump() == before
