"""Callers who wait for a connection that is being made."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from toril.errors import StoreMisconfigured, StoreUnavailable
from toril.model.names import QueueRef
from toril.store.redis.connection import Connection
from toril.store.redis.wire import ServerError, Word


class Line:
    """A connection that notes what is asked."""

    lost = False

    def __init__(self, asked: list[Word]) -> None:
        self._asked = asked
        self.scripts: set[str] = set()

    def ask(self, words: tuple[Word, ...]) -> asyncio.Future[str]:
        self._asked.append(words[0])
        answer = asyncio.get_running_loop().create_future()
        answer.set_result("OK")
        return answer


class Place:
    """A server that is connected to when it is told."""

    kind = "single"

    def __init__(self, refusal: str = "") -> None:
        self.open = asyncio.Event()
        self.asked: list[Word] = []
        self._refusal = refusal

    async def connect(self, *_: object) -> Line:
        await self.open.wait()
        if self._refusal:
            raise ServerError(self._refusal)
        return Line(self.asked)


def connection_to(place: Any) -> Connection:
    return Connection(place)


async def test_who_comes_later_does_not_overtake() -> None:
    place = Place()
    connection = connection_to(place)

    async def ask(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await connection.command(str(turns))

    waiting = [asyncio.create_task(connection.command("first")), asyncio.create_task(ask(1))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    place.open.set()
    await asyncio.gather(*waiting, *(ask(turns) for turns in range(2, 9)))

    assert place.asked == ["first", *(str(turns) for turns in range(1, 9))]


async def test_who_waits_while_it_is_closed_is_told_so() -> None:
    connection = connection_to(Place())
    waiting = asyncio.create_task(connection.command("PING"))
    await asyncio.sleep(0)
    await connection.close()

    with pytest.raises(StoreUnavailable, match="closed while it was made"):
        await waiting


async def test_a_refused_greeting_is_an_error_of_ours_for_scripts_and_commands() -> None:
    place = Place("WRONGPASS invalid username-password pair")
    place.open.set()
    connection = connection_to(place)

    with pytest.raises(StoreMisconfigured, match="WRONGPASS"):
        await connection.command("PING")
    with pytest.raises(StoreMisconfigured, match="WRONGPASS"):
        await connection.run("wake", QueueRef("bull", "tasks"), *_args_of("wake"))


def _args_of(name: str) -> list[Word]:
    from toril.store.redis.script import script

    return ["" for _ in script(name).args]
