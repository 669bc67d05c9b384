from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from toril.errors import OptionError
from toril.model.cron import Cron

# What BullMQ answered; tests/interop/cron_table.mjs makes it.
TABLE: list[tuple[str, str, int, list[int | None]]] = json.loads(
    (Path(__file__).parent / "cron_table.json").read_text()
)
HALF_HOUR = "Australia/Lord_Howe"
RARE = "0 0 * 2 1#5"


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine stands in Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def ms(text: str, tz: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz)).timestamp() * 1000)


def disagreements(line: str, tz: str | None, after: int, chain: list[int | None]) -> list[object]:
    """Where our answers are not those of the chain."""
    cron = Cron.parse(line, tz)
    for expected in chain:
        found = cron.next_ms(after)
        assert found is not None
        assert found > after
        if expected is None or expected <= after:
            # BullMQ is stuck, which happens in a single zone.
            assert tz == HALF_HOUR
            return []
        if found != expected:
            return [(line, tz, after, expected, found)]
        after = expected
    return []


def test_the_table_is_what_it_should_be() -> None:
    assert len(TABLE) >= 300
    assert all(len(chain) == 5 for _, tz, _, chain in TABLE if tz != HALF_HOUR)


def test_it_answers_as_bullmq_does() -> None:
    assert [found for row in TABLE for found in disagreements(*row)] == []


def test_without_a_zone_that_of_the_machine_counts(berlin: None) -> None:
    rows = [row for row in TABLE if row[1] == "Europe/Berlin"]

    assert len(rows) >= 30
    assert [
        found for line, _, after, chain in rows for found in disagreements(line, None, after, chain)
    ] == []


def test_a_clock_put_back_by_half_an_hour_stops_nothing() -> None:
    cron = Cron.parse("0 2 * * *", HALF_HOUR)

    first = cron.next_ms(ms("2024-04-06T12:00", HALF_HOUR))

    assert first is not None
    assert first == ms("2024-04-07T02:00", HALF_HOUR)
    assert cron.next_ms(first) == ms("2024-04-08T02:00", HALF_HOUR)


@pytest.mark.parametrize(
    ("tz", "same"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("utc", "UTC"),
        ("UTC+3", "Etc/GMT-3"),
        ("utc-5", "Etc/GMT+5"),
        ("UTC+5:30", "Asia/Kolkata"),
        ("EST", "Etc/GMT+5"),
    ],
)
def test_zones_have_several_names(tz: str, same: str) -> None:
    after = ms("2026-07-01T12:34:56")

    assert Cron.parse("10 9 * * *", tz).next_ms(after) == Cron.parse("10 9 * * *", same).next_ms(after)


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("5 4 * * *", "0 5 4 * * *"),
        (" 5\t4  * * * ", "5 4 * * *"),
        ("05 004 * * *", "5 4 * * *"),
        ("? ? ? ? ?", "* * * * *"),
        ("0 0 * * 7", "0 0 * * SUN"),
        ("0 0 * * 5-7", "0 0 * * 0,5,6"),
        ("0 0 * * */7", "0 0 * * 0"),
        ("0 0 * * friL", "0 0 * * 5L"),
        ("0 0 * FEB-apr/2 *", "0 0 * 2,4 *"),
        ("5/100 * * * *", "5 * * * *"),
        ("10/20 * * * *", "10,30,50 * * * *"),
        ("0 0 31 2,4 1", "0 0 * 2,4 1"),
    ],
)
def test_lines_that_mean_the_same(line: str, same: str) -> None:
    one, other = Cron.parse(line, "UTC"), Cron.parse(same, "UTC")
    after = ms("2025-12-30T23:59:30")

    for _ in range(20):
        found = one.next_ms(after)
        assert found is not None
        assert found == other.next_ms(after)
        after = found


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "has 0 fields; needed are minute, hour"),
        ("1 2 3 4", "has 4 fields"),
        ("1 2 3 4 5 6 7", "has 7 fields"),
        ("60 * * * *", "the minute '60' is wrong: 60 is out of range; allowed is 0-59"),
        ("60 * * * * *", "the second '60' is wrong"),
        ("0 24 * * *", "the hour '24' is wrong: 24 is out of range; allowed is 0-23"),
        ("0 0 0 * *", "the day of month '0' is wrong: 0 is out of range; allowed is 1-31, or L"),
        ("0 0 1 13 *", "the month '13' is wrong: 13 is out of range; allowed is 1-12 or JAN-DEC"),
        ("0 0 * * 8", "the day of week '8' is wrong: 8 is out of range; allowed is 0-7 or SUN-SAT"),
        ("0 0 * * fry", "'fry' means nothing here; did you mean FRI?"),
        ("0 0 * january *", "did you mean JAN?"),
        ("0 0 * * jan", "the day of week 'jan' is wrong"),
        ("0 0 * mon *", "the month 'mon' is wrong"),
        ("abc * * * *", "'abc' means nothing here; allowed is 0-59"),
        ("1.5 * * * *", "'1.5' means nothing here"),
        ("٥ * * * *", "means nothing here"),
        ("1,,2 * * * *", "a number is missing"),
        ("-1 * * * *", "a number is missing"),
        ("1- * * * *", "a number is missing"),
        ("5* * * * *", "'5*' means nothing here"),
        ("1-2-3 * * * *", "'2-3' means nothing here"),
        ("*-5 * * * *", "'*' means nothing here"),
        ("50-10 * * * *", "the range 50-10 runs backwards"),
        ("0 0 * * sat-sun", "the range sat-sun runs backwards"),
        ("*/0 * * * *", "the step '0' must be a whole number above 0"),
        ("*/ * * * *", "the step '' must be"),
        ("*/5/2 * * * *", "the step '5/2' must be"),
        ("1,1 * * * *", "1 is there more than once"),
        ("*,5 * * * *", "5 is there more than once"),
        ("0 0 * * 0,7", "SUN is there more than once"),
        ("0 0 * * 5L,friL", "friL is there more than once"),
        ("0 0 L,L * *", "the day of month 'L,L' is wrong: L is there more than once"),
        ("0 0 * * L", "a number is missing"),
        ("0 0 L-2 * *", "'L' means nothing here"),
        ("0 0 5L * *", "L stands alone for the last day of the month"),
        ("0 0 * * 1-5L", "'1-5' means nothing here"),
        ("L * * * *", "the minute 'L' is wrong"),
        ("0 0 15W * *", "'15W' means nothing here"),
        ("0 0 * * 1#6", "after it a number from 1 to 5"),
        ("0 0 * * 1#", "after it a number from 1 to 5"),
        ("0 0 * * 1#1,2#2", "after it a number from 1 to 5"),
        ("0 0 * * 1,2#1", "'1,2' means nothing here"),
        ("1#1 * * * *", "the minute '1#1' is wrong"),
        ("H * * * *", "the minute 'H' is wrong: H is drawn anew for each run in BullMQ"),
        ("0 0 * * H", "the day of week 'H' is wrong: H is drawn anew"),
        ("H(1-5)/2 * * * *", "H is drawn anew"),
        ("@DAILY", "did you mean '@daily'?"),
        (" @daily", "did you mean '@daily'?"),
        ("@midnight", "there is no such named line"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4,6 *", "never fires"),
        ("0 0 31 2,4,6,9,11 ?", "never fires"),
        ("0 0 30-31 2 *", "never fires"),
        ("9" * 5000 + " * * * *", "means nothing here"),
    ],
)
def test_wrong_lines_are_refused(line: str, problem: str) -> None:
    with pytest.raises(OptionError, match=re.escape(problem)) as caught:
        Cron.parse(line, "UTC", option="pattern")

    assert caught.value.option == "pattern"
    assert caught.value.value == line


@pytest.mark.parametrize(
    ("tz", "problem"),
    [
        ("Europe/Berln", "there is no such time zone; did you mean 'Europe/Berlin'?"),
        ("new york", "did you mean 'America/New_York'?"),
        ("", "use one such as 'Europe/Berlin' or 'UTC'"),
        ("Europe", "there is no such time zone"),
        ("../etc/passwd", "there is no such time zone"),
        ("right/Europe/Berlin", "there is no such time zone"),
        ("localtime", "there is no such time zone"),
        ("UTC+25", "there is no such time zone"),
        ("A\0B", "there is no such time zone"),
    ],
)
def test_unknown_zones_are_refused(tz: str, problem: str) -> None:
    with pytest.raises(OptionError, match=re.escape(problem)) as caught:
        Cron.parse("* * * * *", tz)

    assert (caught.value.option, caught.value.value) == ("tz", tz)


def test_it_is_a_value() -> None:
    cron = Cron.parse("30 2 * * *", "Europe/Berlin")
    before = ms("2026-03-28T12:00", "Europe/Berlin")

    answers = [cron.next_ms(after) for after in (before, before + 10**9, before)]

    assert answers[0] == answers[2] != answers[1]
    assert cron == Cron.parse("30 2 * * *", "Europe/Berlin") != Cron.parse("30 2 * * *", "UTC")
    assert hash(cron) == hash(Cron.parse("30 2 * * *", "Europe/Berlin"))
    assert repr(cron) == "Cron(line='30 2 * * *', tz='Europe/Berlin')"
    with pytest.raises(FrozenInstanceError):
        Cron.__setattr__(cron, "line", "* * * * *")


def test_days_that_come_once_in_decades_are_found() -> None:
    assert Cron.parse(RARE, "UTC").next_ms(ms("2072-03-01")) == ms("2112-02-29")


@pytest.mark.parametrize("line", ["* * * * *", "0 0 1 1 *", "* * * 2 *"])
@pytest.mark.parametrize("tz", ["UTC", "Europe/Berlin"])
def test_there_is_nothing_after_the_last_year(line: str, tz: str) -> None:
    cron = Cron.parse(line, tz)

    assert cron.next_ms(ms("9999-12-31T23:59:59")) is None
    assert cron.next_ms(10**17) is None


def test_it_looks_from_before_1970_too() -> None:
    assert Cron.parse("0 0 1 1 *", "UTC").next_ms(-1) == 0
    assert Cron.parse("* * * * * *", "UTC").next_ms(-1500) == -1000
