"""toril answers when a cron line fires next as BullMQ does."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TypeAlias
from zoneinfo import ZoneInfo

from tests.interop.conftest import Peers
from tests.interop.node import FOLDER
from toril.model.cron import Cron

TABLE = Path(__file__).parent.parent / "unit" / "cron_table.json"
SEED = 20_240_607
ROWS = 600
CHAIN = 3

# Not among them Lord Howe and Nuuk, whose changes lead BullMQ astray: see the decision on cron in the docs.
ZONES = (
    *("UTC", "America/New_York", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "Africa/Cairo"),
    *("Pacific/Apia", "America/St_Johns", "Europe/London", "Asia/Tehran", "America/Havana", "Asia/Beirut"),
    *("America/Santiago", "Atlantic/Azores", "Australia/Adelaide", "Antarctica/Troll"),
)

Row: TypeAlias = tuple[str, str | None, int, int]


def run(*arguments: str, text: str = "") -> str:
    command = ["node", str(FOLDER / "cron_table.mjs"), *arguments]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, check=True, timeout=30, cwd=FOLDER
    ).stdout


def ask(rows: list[Row]) -> list[list[int | None]]:
    return [chain for *_, chain in json.loads(run("-", text=json.dumps(rows)))]


def number_or_more(random: Random, low: int, high: int) -> str:
    first, second = sorted(random.sample(range(low, high + 1), 2))
    step = random.randint(1, high)
    return random.choice(
        [f"{first}", f"{first},{second}", f"{first}-{second}", f"*/{step}", f"{first}/{step}"]
    )


def part(random: Random, low: int, high: int, any_share: float) -> str:
    return "*" if random.random() < any_share else number_or_more(random, low, high)


def line(random: Random) -> str:
    """Any line, with more hours of the night than there would be by chance, as that is when clocks change."""
    weekday = random.choice([f"{random.randint(0, 7)}L", f"{random.randint(0, 7)}#{random.randint(1, 5)}"])
    parts = [
        part(random, 0, 59, 0.2),
        part(random, 0, random.choice([4, 23]), 0.25),
        random.choice(["L", "L,15"]) if random.random() < 0.1 else part(random, 1, 31, 0.6),
        part(random, 1, 12, 0.7),
        weekday if random.random() < 0.15 else part(random, 0, 6, 0.6),
    ]
    seconds = [part(random, 0, 59, 0.2)] if random.random() < 0.2 else []
    return " ".join(seconds + parts)


def changes(zone: str) -> list[datetime]:
    """The hours of 2024 to 2027 before which the clock is changed."""
    start, rules = datetime(2024, 1, 1, tzinfo=UTC), ZoneInfo(zone)
    offsets = [(start + timedelta(hours=n)).astimezone(rules).utcoffset() for n in range(4 * 365 * 24)]
    return [start + timedelta(hours=n) for n in range(1, len(offsets)) if offsets[n] != offsets[n - 1]]


def instant(random: Random, near: list[datetime]) -> int:
    """Any, or one around a change of the clock."""
    if near and random.random() < 0.7:
        around = random.choice(near) + timedelta(seconds=random.randint(-40 * 3600, 6 * 3600))
    else:
        around = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=random.randint(0, 4 * 365 * 86_400))
    return int(around.timestamp()) * 1000 + random.choice([0, 0, 1, 999])


def test_the_table_is_what_bullmq_answers(peers: Peers) -> None:
    assert run() == TABLE.read_text()


def test_random_lines_fire_when_bullmq_says(peers: Peers) -> None:
    random = Random(SEED)
    near = {zone: changes(zone) for zone in ZONES}
    drawn = [(line(random), random.choice(ZONES)) for _ in range(ROWS)]
    rows: list[Row] = [(text, zone, instant(random, near[zone]), CHAIN) for text, zone in drawn]

    wrong: list[object] = []
    for (text, zone, after, _), chain in zip(rows, ask(rows), strict=True):
        cron, last = Cron.parse(text, zone), after
        for expected in chain:
            found = cron.next_ms(last)
            if found != expected or expected is None:
                wrong.append((text, zone, last, expected, found))
                break
            last = expected

    assert len(rows) == ROWS
    assert wrong == []


def test_without_a_zone_both_take_that_of_the_machine(peers: Peers) -> None:
    rows: list[Row] = [("30 2 * * *", None, 1_700_000_000_000, 3), ("0 0 1 * *", None, 1_700_000_000_000, 3)]

    for (text, tz, after, _), chain in zip(rows, ask(rows), strict=True):
        assert [Cron.parse(text, tz).next_ms(at or 0) for at in [after, *chain[:-1]]] == chain
