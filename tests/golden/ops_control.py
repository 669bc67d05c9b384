"""Steps that steer the replay itself."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.golden.options import queue_options, worker_options
from tests.golden.session import Session
from tests.golden.values import JSON, Args, BadRecording
from toril import Queue, Worker


async def sleep(session: Session, args: Args) -> JSON:
    # Keys must expire, so the time has to pass.
    await asyncio.sleep(args.integer("ms") / 1000)
    return None


async def advance_clock(session: Session, args: Args) -> JSON:
    """The recorded times of the later steps have it in them."""
    if not session.times.controlled:
        raise BadRecording("only a controlled clock can be moved")
    return None


async def command(session: Session, args: Args) -> JSON:
    """What a command answers is not recorded."""
    await session.server.command(*(str(word) for word in args.items("args")))
    return None


async def construct(session: Session, args: Args) -> JSON:
    name, options = args.raw("name"), args.args("opts")
    if args.text("kind") == "queue":
        Queue(name, store=session.store, prefix=session.prefix, **queue_options(options))
    else:
        Worker(name, _no_handler, store=session.store, prefix=session.prefix, **worker_options(args))
    return {"ok": True}


async def _no_handler(job: Any) -> None:
    """Nothing is run."""


OPERATIONS = {
    "clock.advance": advance_clock,
    "construct": construct,
    "redis": command,
    "sleep": sleep,
}
