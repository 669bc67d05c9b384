"""Events are decoded when they are asked, and nothing in them can raise."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from typing import Any

import pytest

from toril import Event
from toril.model.event import gap
from toril.model.names import QueueRef

QUEUE = QueueRef("bull", "q")


def event(name: str = "any", /, **fields: str | bytes) -> Event:
    texts = {"event": name, **fields}
    raw = {
        key.encode(): value if isinstance(value, bytes) else value.encode() for key, value in texts.items()
    }
    return Event(QUEUE, "1800000000000-3", raw)


def test_what_every_event_has() -> None:
    told = event("waiting", jobId="7", prev="delayed")

    assert (told.name, told.job_id, told.prev, told.id) == ("waiting", "7", "delayed", "1800000000000-3")
    assert (told.queue_name, told.queue.prefix, told.is_gap) == ("q", "bull", False)
    assert told.at == datetime(2027, 1, 15, 8, tzinfo=UTC)
    assert told.fields == {"event": "waiting", "jobId": "7", "prev": "delayed"}


@pytest.mark.parametrize(
    ("told", "attribute", "value"),
    [
        (event("completed", returnvalue='{"a":[1,null]}'), "return_value", {"a": [1, None]}),
        (event("completed", returnvalue="null"), "return_value", None),
        (event("failed", failedReason='{"not": json'), "failed_reason", '{"not": json'),
        (event("delayed", delay="1800000000500"), "due", datetime(2027, 1, 15, 8, 0, 0, 500_000, UTC)),
        (event("progress", data="50"), "progress", 50),
        (event("added", name="mail"), "job_name", "mail"),
        (event("retries-exhausted", attemptsMade="3"), "attempts_made", 3),
        (event("cleaned", count="0"), "count", 0),
        (event("deduplicated", deduplicationId="d"), "deduplication_id", "d"),
        (event("deduplicated", deduplicatedJobId="9"), "deduplicated_job_id", "9"),
        (event("mine", n='[1,"x"]'), "fields", {"event": "mine", "n": '[1,"x"]'}),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_some_events_have(told: Event, attribute: str, value: Any) -> None:
    assert getattr(told, attribute) == value


def test_an_event_of_ones_own_is_text_or_json() -> None:
    told = event("greet", who="world", n="1", list="[1, 2]")

    assert told.text("who") == "world"
    assert (told.json("n"), told.json("list"), told.json("who")) == (1, [1, 2], "world")
    assert (told.text("none"), told.json("none")) == (None, None)


@pytest.mark.parametrize("garbage", ["", "{", "NaN", "[" * 100_000, "1e999", b"\xff\xfe", "\0"])
def test_garbage_is_given_as_text(garbage: str | bytes) -> None:
    text = garbage.decode("utf-8", "replace") if isinstance(garbage, bytes) else garbage
    told = event("any", returnvalue=garbage, data=garbage, delay=garbage, count=garbage, attemptsMade=garbage)

    assert (told.return_value, told.progress) == (text, text)
    assert (told.due, told.count, told.attempts_made) == (None, None, None)


def test_an_entry_without_a_name_is_an_event_all_the_same() -> None:
    told = Event(QUEUE, "nonsense", {b"\xff": b"\xfe"})

    assert (told.name, told.job_id, told.at) == ("", None, None)
    assert told.fields == {"\ufffd": "\ufffd"}


def test_a_time_beyond_all_years_is_none() -> None:
    assert event("delayed", delay="9" * 18).due is None


def test_events_are_values() -> None:
    told = event("added", jobId="1")

    assert told == event("added", jobId="1")
    assert len({told, event("added", jobId="1")}) == 1
    for name in ("queue", "id", "raw", "local"):
        with pytest.raises(FrozenInstanceError):
            setattr(told, name, None)


def test_a_gap_says_what_is_known() -> None:
    told = gap(QUEUE, resume="5-0", after="5-0", before="9-1", lost=12)

    assert (told.name, told.is_gap, told.lost, told.at, told.job_id) == ("gap", True, 12, None, None)
    assert (told.fields["after"], told.fields["before"]) == ("5-0", "9-1")
    assert gap(QUEUE, resume="0-0", after="5-0", before="", lost=None).lost is None


def test_another_event_of_that_name_is_no_gap() -> None:
    assert event("gap").is_gap is False
