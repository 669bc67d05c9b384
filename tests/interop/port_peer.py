"""BullMQ's Python port, steered by tests in the way that peer.mjs describes.

It runs in the port's own environment, in which there is neither toril nor what toril needs.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

bullmq = importlib.import_module("bullmq")


def tell(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


async def echo(job: Any) -> Any:
    return job.data


async def fail(job: Any) -> int:
    if job.attemptsMade < job.data["times"]:
        raise RuntimeError(f"failure {job.attemptsMade + 1} in the port")
    return job.attemptsMade + 1


async def give_up(job: Any) -> None:
    raise bullmq.UnrecoverableError("hopeless in the port")


async def gather(job: Any) -> Any:
    return await job.getChildrenValues()


# What a job does follows from its name; scripted.py holds the same for toril.
PROCESSORS = {"echo": echo, "fail": fail, "give-up": give_up, "gather": gather}


async def run(job: Any, token: str) -> Any:
    return await PROCESSORS[job.name](job)


def ids_of(node: dict[str, Any]) -> dict[str, Any]:
    """A tree of jobs as a tree of their ids."""
    return {"id": node["job"].id, "children": [ids_of(child) for child in node.get("children", [])]}


class Session:
    """What is open between "begin" and "leave"."""

    def __init__(self) -> None:
        self._base: dict[str, Any] = {}
        self._opened: dict[str, Any] = {}

    async def begin(self, path: str, prefix: str) -> None:
        self._base = {"connection": {"unix_socket_path": path}, "prefix": prefix}

    async def leave(self) -> None:
        opened, self._opened = self._opened, {}
        for it in opened.values():
            # Without force, a worker with several slots was seen to wait for ever.
            await (it.close(force=True) if isinstance(it, bullmq.Worker) else it.close())

    def _open(self, key: str, make: Callable[[], Any]) -> Any:
        if key not in self._opened:
            self._opened[key] = make()
        return self._opened[key]

    def _queue(self, name: str) -> Any:
        return self._open(f"queue {name}", lambda: bullmq.Queue(name, self._base))

    async def add(self, queue: str, name: str, data: Any, opts: dict[str, Any]) -> dict[str, Any]:
        job = await self._queue(queue).add(name, data, opts)
        return {"id": job.id, "name": job.name, "data": job.data}

    async def add_flow(self, flow: dict[str, Any]) -> dict[str, Any]:
        producer = self._open("flows", lambda: bullmq.FlowProducer(self._base))
        return ids_of(await producer.add(flow))

    async def job(self, queue: str, **more: str) -> dict[str, Any] | None:
        job = await self._queue(queue).getJob(more["jobId"])
        if job is None:
            return None
        fields = ("id", "name", "data", "opts", "returnvalue", "failedReason", "attemptsMade", "priority")
        return {name: getattr(job, name) for name in fields} | {"state": await job.getState()}

    async def worker(self, queue: str, options: dict[str, Any]) -> None:
        def report(event: str, job: Any, **more: Any) -> None:
            tell({"from": "worker", "queue": queue, "event": event, "jobId": job.id, **more})

        def completed(job: Any, value: Any) -> None:
            report("completed", job, value=value)

        def failed(job: Any, error: Exception) -> None:
            report("failed", job, error=str(error))

        opts = {**self._base, **options}
        worker = self._open(f"worker {len(self._opened)}", lambda: bullmq.Worker(queue, run, opts))
        worker.on("completed", completed)
        worker.on("failed", failed)


async def main() -> None:
    session = Session()
    commands = {
        "begin": session.begin,
        "leave": session.leave,
        "add": session.add,
        "addFlow": session.add_flow,
        "getJob": session.job,
        "worker": session.worker,
    }
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        id = asked.pop("id")
        [answer] = await asyncio.gather(commands[asked.pop("do")](**asked), return_exceptions=True)
        failed = isinstance(answer, BaseException)
        tell({"id": id, "error": repr(answer)} if failed else {"id": id, "value": answer})


if __name__ == "__main__":
    asyncio.run(main())
