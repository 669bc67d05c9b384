"""The job as a handler in a child gets it: its fields are there, its verbs are carried out by the worker."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from functools import wraps
from typing import Any

import msgspec

from toril.core.blocking import BlockingJob
from toril.core.connection import StoreLink
from toril.core.job import Job, log_text
from toril.core.payload import encode
from toril.core.worker.isolation.channel import Channel, value_of
from toril.core.worker.isolation.messages import Answer
from toril.core.worker.isolation.running import Running
from toril.model.names import QueueRef

_Wait = Callable[[Future[Answer]], Awaitable[Answer]]


class RemoteJob(Job):
    """A job whose verbs are carried out by the worker."""

    __slots__ = ("_channel", "_running", "_wait")

    def __init__(
        self,
        running: Running,
        channel: Channel,
        wait: _Wait = asyncio.wrap_future,
    ) -> None:
        run = running.run
        queue = QueueRef(run.prefix, run.queue)
        # Nothing is ever opened: each verb that would do so is replaced below.
        super().__init__(queue, run.id, run.fields, link=StoreLink(queue, None, None), token=run.token)
        self._channel = channel
        self._running = running
        self._wait = wait

    async def update_progress(self, progress: Any) -> None:
        """Report progress; see ``Job.update_progress``."""
        await self.forward("update_progress", _plain(progress, "progress"))

    async def update_data(self, data: Any) -> None:
        """Replace the payload; see ``Job.update_data``."""
        await self.forward("update_data", _plain(data, "data"))

    async def log(self, row: object) -> int:
        """Append a row to the log; see ``Job.log``."""
        return await self.forward("log", log_text(row))

    async def forward(self, verb: str, *args: Any, **options: Any) -> Any:
        """Have the worker carry out a verb; answers and raises what it does there."""
        answer = await self._wait(self._channel.ask(self._running, verb, args, options))
        if answer.fields is not None:
            # In place: the blocking twin has the same.
            self.fields.clear()
            self.fields.update(answer.fields)
        return value_of(answer)


def blocking_job(running: Running, channel: Channel) -> BlockingJob:
    """The job for a plain function in a child."""
    return BlockingJob(RemoteJob(running, channel, _blocking), _finished, running.told)


async def _blocking(asked: Future[Answer]) -> Answer:
    return asked.result()


def _finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that waits by blocking, and so needs no loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it has waited for a loop")


def _plain(value: Any, what: str) -> Any:
    """A value as it looks after it was stored."""
    return msgspec.json.decode(encode(value, what))


def _forwarding(verb: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def forwarding(job: RemoteJob, *args: Any, **options: Any) -> Any:
        return await job.forward(verb, *args, **options)

    return forwarding


for _name, _verb in inspect.getmembers(Job, inspect.iscoroutinefunction):
    if not _name.startswith("_") and _name not in vars(RemoteJob):
        setattr(RemoteJob, _name, _forwarding(_name, _verb))
