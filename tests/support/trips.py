"""Counting how often somebody waited for a server, however long that took."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from toril.store.redis.wire import Wire, Word


class Trips:
    """What went over the connections of this process.

    Attributes:
        commands: The commands, in order.
        waits: How often a command left on a connection where none was under way.
        most: At most so many were under way at once on a connection.
    """

    def __init__(self) -> None:
        self.commands: list[tuple[Word, ...]] = []
        self.waits = 0
        self.most = 0
        self._under_way: dict[int, int] = {}

    def sent(self, wire: Wire, words: tuple[Word, ...], reply: asyncio.Future[Any]) -> None:
        """A command left."""
        key, before = id(wire), self._under_way.get(id(wire), 0)
        self.commands.append(words)
        self.waits += before == 0
        self.most = max(self.most, before + 1)
        self._under_way[key] = before + 1
        reply.add_done_callback(lambda _: self._under_way.update({key: self._under_way[key] - 1}))

    def running(self, name: str) -> list[tuple[Word, ...]]:
        """The commands of this name."""
        return [words for words in self.commands if words[0] == name]

    def calls(self, digest: str) -> list[tuple[Word, ...]]:
        """The calls of a script, as far as the server knew it."""
        return [words for words in self.running("EVALSHA") if words[1] == digest]


@contextmanager
def counting_trips() -> Generator[Trips]:
    """Count from here on."""
    trips, ask = Trips(), Wire.ask

    def counted(wire: Wire, words: tuple[Word, ...]) -> asyncio.Future[Any]:
        reply = ask(wire, words)
        trips.sent(wire, words, reply)
        return reply

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wire, "ask", counted)
        yield trips
