"""BullMQ for Node as a partner of tests: see peer.mjs for what it understands."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.interop.program import Note, Program

FOLDER = Path(__file__).parent
# The queue of a test that needs only one.
QUEUE = "work"


class NodeError(Exception):
    """BullMQ refused a command; the text is that of its error."""


class NodePeer(Program):
    """A Node process with queues, workers and listeners of BullMQ."""

    def __init__(self) -> None:
        super().__init__("node", str(FOLDER / "peer.mjs"))
        self._ids = itertools.count(1)

    async def begin(self, socket_path: Path, prefix: str) -> None:
        """Begin a test, in which BullMQ works on this server, with this prefix."""
        self.attach()
        await self.request("begin", path=str(socket_path), prefix=prefix)

    async def leave(self) -> None:
        """Close all that the test has opened, unless Node was killed in it."""
        if self.lives:
            await self.request("leave")
            errors = self.noted(event="error")
            assert errors == []
        self.detach()

    async def request(self, do: str, **arguments: object) -> Any:
        """Give a command, and wait for its answer.

        Raises:
            NodeError: It was refused.
        """
        id = next(self._ids)
        self.send({"id": id, "do": do, **arguments})
        answer = await self.note(id=id)
        if "error" in answer:
            raise NodeError(answer["error"])
        return answer["value"]

    async def add(self, name: str, data: object = None, *, queue: str = QUEUE, **opts: object) -> Any:
        """Add a job with BullMQ's own options; gives it as `job` does."""
        return await self.request("add", queue=queue, name=name, data=data, opts=opts)

    async def add_many(self, *jobs: tuple[str, object], queue: str = QUEUE, **opts: object) -> list[str]:
        """Add jobs of these names and data, with the same options; gives their ids."""
        rows = [{"name": name, "data": data, "opts": opts} for name, data in jobs]
        return await self.request("addBulk", queue=queue, jobs=rows)

    async def add_flow(
        self, name: str, queue: str, children: Sequence[dict[str, Any]]
    ) -> tuple[str, list[str]]:
        """Add a parent and its children; gives their ids."""
        flow: dict[str, Any] = {"name": name, "queueName": queue, "data": {}, "children": children}
        tree = await self.request("addFlow", flow=flow)
        return tree["id"], [child["id"] for child in tree["children"]]

    async def job(self, id: str, *, queue: str = QUEUE) -> Any:
        """A job as BullMQ reads it, with `state`, `logs` and `stacktraceLength`; `None` if it is gone."""
        return await self.request("getJob", queue=queue, jobId=id)

    async def result(self, id: str, *, queue: str = QUEUE) -> Any:
        """Wait as `waitUntilFinished` does; gives what the job returned.

        Raises:
            NodeError: The job failed.
        """
        return await self.request("waitUntilFinished", queue=queue, jobId=id, ttl=5000)

    async def counts(self, *, queue: str = QUEUE) -> dict[str, int]:
        """How many jobs are in each state."""
        return await self.request("counts", queue=queue)

    async def work(self, *, queue: str = QUEUE, **options: object) -> None:
        """Start a worker that does what the names of its jobs say (see peer.mjs)."""
        await self.request("worker", queue=queue, options=options)

    async def listen(self, *, queue: str = QUEUE) -> None:
        """Note the queue's events, those included that were told before."""
        await self.request("events", queue=queue)

    async def did(self, event: str, id: str) -> Note:
        """A note of a worker in this process, as soon as it is there."""
        return await self.note(**{"from": "worker", "event": event, "jobId": id})

    async def told(self, event: str, id: str | None = None) -> Any:
        """What the queue's events say of a job (or of the queue), as soon as it is there."""
        wanted = {"from": "events", "event": event} | ({"jobId": id} if id is not None else {})
        return (await self.note(**wanted))["args"]
