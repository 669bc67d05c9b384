"""BullMQ for Node and toril take the same steps on two databases, which are compared after each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.compare import answers_differ, states_differ
from tests.fuzz.deviations import intended
from tests.fuzz.node import NodeDriver
from tests.fuzz.story import Step, Story
from tests.fuzz.teller import TorilDriver
from tests.support.database import Database, Dump
from toril.embedded import EmbeddedServer

_NODE_DB, _TORIL_DB = 1, 2


@dataclass(frozen=True)
class Taken:
    """What came of a step.

    Attributes:
        answer: Of Node.
        dump: All that Node's database holds then.
        differences: Between the two sides, a line each.
        deviation: Why they differ on purpose, if they do; there is no sense in going on then.
    """

    answer: Any
    dump: Dump
    differences: list[str] = field(default_factory=list[str])
    deviation: str | None = None


class Duel:
    """The two sides.

    Attributes:
        steps: How many both have taken so far.
    """

    def __init__(self, server: EmbeddedServer) -> None:
        self._node = NodeDriver()
        self._socket: Path = server.socket_path
        toril_url, node_url = (server.url.replace("db=0", f"db={db}") for db in (_TORIL_DB, _NODE_DB))
        self._toril = TorilDriver(toril_url)
        self._toril_database = Database(toril_url)
        self._node_database = Database(node_url)
        self._before: Dump = {}
        self.steps = 0

    def attach(self) -> None:
        """The running loop is the one that works from now on."""
        self._node.attach()

    @asynccontextmanager
    async def telling(self, story: Story) -> AsyncGenerator[Taken]:
        """Open what a story needs, on empty databases; closes it in the end."""
        await self._node.begin(story, self._socket, _NODE_DB)
        try:
            await self._toril.begin(story)
            self._before = self._node_database.dump()
            yield Taken(None, self._before, states_differ(self._before, self._toril_database.dump()))
        finally:
            await self._toril.leave()
            await self._node.leave()

    async def take(self, step: Step) -> Taken:
        """Let both take a step."""
        self.steps += 1
        answer = await self._node.take(step)
        (other,) = await asyncio.gather(self._toril.take(step), return_exceptions=True)
        if isinstance(other, BaseException):
            return Taken(answer, self._before, [f"answer: node {answer!r}, toril broke: {other!r}"])
        node, toril = self._node_database.dump(), self._toril_database.dump()
        lines = answers_differ(step["op"], answer, other) + states_differ(node, toril)
        reason = intended(step, self._before, lines) if lines else None
        self._before = node
        return Taken(answer, node, lines, reason)

    async def replay(self, story: Story) -> tuple[int, list[str]] | None:
        """Tell a story to where both sides first differ: the number of that step, and the lines."""
        async with self.telling(story) as begun:
            if begun.differences:
                return -1, begun.differences
            for number, step in enumerate(story.steps):
                taken = await self.take(step)
                if taken.differences:
                    return None if taken.deviation else (number, taken.differences)
        return None

    async def close(self) -> None:
        """End both sides."""
        await self._toril.close()
        self._node.end()
        self._toril_database.close()
        self._node_database.close()
