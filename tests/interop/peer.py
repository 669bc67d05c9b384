"""Another library as a partner of tests: a program that takes commands and tells what happens in it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from tests.interop.program import Note, Program

FOLDER = Path(__file__).parent
# The queue of a test that needs only one.
QUEUE = "work"
# The queue of the parents, where they have one of their own.
PARENTS = "parents"


class PeerError(Exception):
    """The library refused a command; the text is that of its error."""


class Peer(Program):
    """A process with queues and workers of another library. It understands what peer.mjs describes."""

    refusal: type[PeerError] = PeerError

    def __init__(self, *command: str) -> None:
        super().__init__(*command)
        self._ids = itertools.count(1)

    async def begin(self, socket_path: Path, prefix: str) -> None:
        """Begin a test, in which the library works on this server, with this prefix."""
        self.attach()
        await self.request("begin", path=str(socket_path), prefix=prefix)

    async def leave(self) -> None:
        """Close all that the test has opened, unless the program was killed in it."""
        if self.lives:
            await self.request("leave")
            errors = self.noted(event="error")
            assert errors == []
        self.detach()

    async def request(self, do: str, **arguments: object) -> Any:
        """Give a command, and wait for its answer.

        Raises:
            PeerError: It was refused.
        """
        id = next(self._ids)
        self.send({"id": id, "do": do, **arguments})
        answer = await self.note(id=id)
        if "error" in answer:
            raise self.refusal(answer["error"])
        return answer["value"]

    async def add(self, name: str, data: object = None, *, queue: str = QUEUE, **opts: object) -> Any:
        """Add a job with BullMQ's own options; gives it as `job` does."""
        return await self.request("add", queue=queue, name=name, data=data, opts=opts)

    async def add_tree(self, flow: dict[str, Any]) -> Any:
        """Add a tree as it is written for BullMQ; gives the tree of the ids."""
        return await self.request("addFlow", flow=flow)

    async def job(self, id: str, *, queue: str = QUEUE) -> Any:
        """A job as the library reads it, with its `state`; `None` if it is gone."""
        return await self.request("getJob", queue=queue, jobId=id)

    async def work(self, *, queue: str = QUEUE, **options: object) -> None:
        """Start a worker that does what the names of its jobs say."""
        await self.request("worker", queue=queue, options=options)

    async def did(self, event: str, id: str) -> Note:
        """A note of a worker in this process, as soon as it is there."""
        return await self.note(**{"from": "worker", "event": event, "jobId": id})
