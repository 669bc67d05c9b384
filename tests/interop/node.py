"""BullMQ for Node as a partner of tests: see peer.mjs for what it understands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.interop.peer import FOLDER, QUEUE, Peer, PeerError

__all__ = ["FOLDER", "QUEUE", "NodeError", "NodePeer"]


class NodeError(PeerError):
    """BullMQ refused a command; the text is that of its error."""


class NodePeer(Peer):
    """A Node process with queues, workers and listeners of BullMQ.

    Args:
        package: ``bullmq`` for version 6, ``bullmq5`` for version 5.
    """

    refusal = NodeError

    def __init__(self, package: str = "bullmq") -> None:
        super().__init__("node", str(FOLDER / "peer.mjs"), package)

    async def add_many(self, *jobs: tuple[str, object], queue: str = QUEUE, **opts: object) -> list[str]:
        """Add jobs of these names and data, with the same options; gives their ids."""
        rows = [{"name": name, "data": data, "opts": opts} for name, data in jobs]
        return await self.request("addBulk", queue=queue, jobs=rows)

    async def add_flow(
        self, name: str, queue: str, children: Sequence[dict[str, Any]]
    ) -> tuple[str, list[str]]:
        """Add a parent and its children; gives their ids."""
        tree = await self.add_tree({"name": name, "queueName": queue, "data": {}, "children": children})
        return tree["id"], [child["id"] for child in tree["children"]]

    async def flow(self, id: str, *, queue: str = QUEUE, **options: int) -> Any:
        """A tree as BullMQ reads it: `key`, `name`, `data` and `children` of each job; `None` for none."""
        return await self.request("getFlow", options={"queueName": queue, "id": id, **options})

    async def result(self, id: str, *, queue: str = QUEUE) -> Any:
        """Wait as `waitUntilFinished` does; gives what the job returned.

        Raises:
            NodeError: The job failed.
        """
        return await self.request("waitUntilFinished", queue=queue, jobId=id, ttl=5000)

    async def counts(self, *, queue: str = QUEUE) -> dict[str, int]:
        """How many jobs are in each state."""
        return await self.request("counts", queue=queue)

    async def listen(self, *, queue: str = QUEUE) -> None:
        """Note the queue's events, those included that were told before."""
        await self.request("events", queue=queue)

    async def told(self, event: str, id: str | None = None) -> Any:
        """What the queue's events say of a job (or of the queue), as soon as it is there."""
        wanted = {"from": "events", "event": event} | ({"jobId": id} if id is not None else {})
        return (await self.note(**wanted))["args"]
