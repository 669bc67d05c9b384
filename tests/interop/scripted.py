"""What jobs do follows from their names; peer.mjs holds the same for BullMQ."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from toril import Job, Queue, Unrecoverable, WaitForChildren


async def echo(job: Job) -> Any:
    return job.data


async def slow(job: Job) -> str:
    await asyncio.sleep(job.data["ms"] / 1000)
    return "toril"


async def fail(job: Job) -> int:
    if job.attempts_made < job.data["times"]:
        raise RuntimeError(f"failure {job.attempts_made + 1} in toril")
    return job.attempts_made + 1


async def give_up(job: Job) -> None:
    raise Unrecoverable("hopeless in toril")


async def report(job: Job) -> str:
    for row in job.data["rows"]:
        await job.log(row)
    for step in job.data["progress"]:
        await job.update_progress(step)
    return "reported by toril"


async def hang(job: Job) -> None:
    await asyncio.Event().wait()


async def hang_first(job: Job) -> str:
    """The worker that starts it first never ends it."""
    if job.attempts_started == 1:
        await hang(job)
    return "finished by toril"


async def gather(job: Job) -> dict[str, Any]:
    return await job.children_values()


def spawner(url: str) -> Callable[[Job], Awaitable[Any]]:
    """A handler whose job has a single child, which it adds itself, into another queue."""

    async def spawn(job: Job) -> Any:
        values = list((await job.children_values()).values())
        if values:
            return values
        async with Queue(job.data["queue"], url=url, prefix=job.prefix) as queue:
            # Late enough to be waited for.
            await queue.add("echo", "from toril", parent=job, delay=0.2)
        raise WaitForChildren

    return spawn


HANDLERS: dict[str, Callable[[Job], Awaitable[Any]]] = {
    "echo": echo,
    "slow": slow,
    "fail": fail,
    "give-up": give_up,
    "report": report,
    "hang": hang,
    "hang-first": hang_first,
    "gather": gather,
}


async def scripted(job: Job) -> Any:
    """The handler for all of them."""
    return await HANDLERS[job.name](job)
