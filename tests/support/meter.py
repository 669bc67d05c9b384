"""What the server's own processor did for each call, whatever else the machine does meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from tests.support.database import Database
from toril.store.redis.wire import Wire, Word

# Told in one breath with the call, so that nothing else of this connection comes between.
_LOOK = ("INFO", "cpu")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call took of the server's main thread.

    Attributes:
        words: How the call begins.
    """

    words: str
    cpu_us: int

    def __str__(self) -> str:
        return f"{self.cpu_us} us: {self.words}"


@contextmanager
def metered() -> Generator[list[Cost]]:
    """While this lasts, the costs of this process's calls are noted, in the order of their replies."""
    costs: list[Cost] = []
    ask = Wire.ask

    def ask_and_look(wire: Wire, words: tuple[Word, ...]) -> asyncio.Future[Any]:
        before, reply, after = ask(wire, _LOOK), ask(wire, words), ask(wire, _LOOK)

        def note(after: asyncio.Future[bytes]) -> None:
            begin = " ".join(str(word) for word in words[:2])[:60]
            costs.append(Cost(begin, _cpu_us(_facts(after.result())) - _cpu_us(_facts(before.result()))))

        after.add_done_callback(note)
        return reply

    with patch.object(Wire, "ask", ask_and_look):
        yield costs


def cost_of(database: Database, *words: str | int) -> int:
    """What a call of the test itself takes of the server's main thread, in microseconds."""
    before = _cpu_us(database.command(*_LOOK))
    database.command(*words)
    return _cpu_us(database.command(*_LOOK)) - before


def _facts(report: bytes) -> Mapping[str, str]:
    lines = (line.partition(":") for line in report.decode().splitlines())
    return {name: value for name, _, value in lines}


def _cpu_us(facts: Mapping[str, Any]) -> int:
    return round(sum(float(facts[f"used_cpu_{kind}_main_thread"]) for kind in ("user", "sys")) * 1e6)
