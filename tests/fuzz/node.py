"""BullMQ for Node, which takes steps one by one: see driver.mjs."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from tests.fuzz.story import PREFIX, T0_MS, Step, Story
from tests.interop.program import Program

_DRIVER = Path(__file__).with_name("driver.mjs")


class NodeCrash(Exception):
    """The driver broke; this is no answer of BullMQ."""


class NodeDriver(Program):
    """A Node process that tells stories, one after the other, on one database of a server."""

    def __init__(self) -> None:
        super().__init__("node", str(_DRIVER))
        self._ids = itertools.count(1)

    async def begin(self, story: Story, socket_path: Path, db: int) -> None:
        """Empty the database and open what the story needs."""
        await self._request(
            "begin",
            path=str(socket_path),
            db=db,
            prefix=PREFIX,
            queues=story.queues,
            workers=story.workers,
        )

    async def take(self, step: Step) -> Any:
        """What BullMQ answers to a step; a refusal is ``{"error": ...}``."""
        return await self._request("step", now=T0_MS + step["at"], step=step)

    async def leave(self) -> None:
        """Close all that the story has opened."""
        await self._request("leave")

    async def _request(self, do: str, **arguments: object) -> Any:
        id = next(self._ids)
        # Thousands of answers come in a run, and each is wanted once.
        self.notes.clear()
        self.send({"id": id, "do": do, **arguments})
        note = await self.note(id=id)
        if "crash" in note:
            raise NodeCrash(note["crash"])
        return note["value"]
