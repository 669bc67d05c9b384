"""Replays one scenario on a server."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tests.golden import (
    ops_control,
    ops_events,
    ops_flow,
    ops_getters,
    ops_job,
    ops_limits,
    ops_queue,
    ops_removal,
    ops_scheduler,
    ops_worker,
)
from tests.golden.compare import Replay, compare
from tests.golden.dump import Server
from tests.golden.scenario import Scenario, Step
from tests.golden.session import Session
from tests.golden.times import Timekeeper
from tests.golden.values import JSON, Args
from tests.golden.views import error_view
from toril import JobError, OptionError, QueueInUse, ResultTimeout, Steer, UnknownBackoff, open_store

Operation = Callable[[Session, Args], Awaitable[JSON]]

#: What each recorded operation is with toril.
OPERATIONS: Mapping[str, Operation] = {
    **ops_control.OPERATIONS,
    **ops_events.OPERATIONS,
    **ops_flow.OPERATIONS,
    **ops_scheduler.OPERATIONS,
    **ops_getters.OPERATIONS,
    **ops_job.OPERATIONS,
    **ops_limits.OPERATIONS,
    **ops_queue.OPERATIONS,
    **ops_removal.OPERATIONS,
    **ops_worker.OPERATIONS,
}

#: What a caller may expect to be raised. An error of the server or of a script is none of these.
REFUSALS = (JobError, OptionError, QueueInUse, ResultTimeout, Steer, UnknownBackoff)

# Seconds; no scenario is recorded that takes more than a few.
_PATIENCE = 30.0
# Seconds between steps, so that each has ms of its own by the time of day.
_GAP = 0.003


class UnknownOperation(Exception):
    """A step needs something that toril does not have, or not yet."""


@dataclass(frozen=True, slots=True)
class Mode:
    """How to replay.

    Attributes:
        controlled: Give each step its recorded time; else use the time of day.
    """

    controlled: bool = True


async def replay(scenario: Scenario, url: str, mode: Mode = Mode()) -> list[str]:
    """Replay a scenario; answers what differs from its recording, a line each.

    Args:
        url: Of the server, whose database is emptied first.
    """
    task = asyncio.create_task(_replay(scenario, url, mode))
    done, _ = await asyncio.wait([task], timeout=_PATIENCE)
    if not done:
        task.cancel()
        await asyncio.wait([task])
        return [f"not done after {_PATIENCE:g} s"]
    error = task.exception()
    return task.result() if error is None else [_crash(error)]


def _crash(error: BaseException) -> str:
    cause = error.__cause__ or error
    where = traceback.extract_tb(cause.__traceback__)[-1]
    return f"{error}: {cause!r} in {where.name}, line {where.lineno}"


async def _replay(scenario: Scenario, url: str, mode: Mode) -> list[str]:
    times = Timekeeper(scenario, controlled=mode.controlled)
    server = Server(url)
    store = open_store(url, now_ms=times.now_ms, receipts=False)
    session = Session(scenario, store, server, times, perform)
    try:
        times.begin(0)
        await session.set_up()
        result = await _run_steps(scenario, session)
    finally:
        await session.close()
        await store.close()
        await server.close()
    return compare(scenario, result, times.clock())


async def _run_steps(scenario: Scenario, session: Session) -> Replay:
    result = Replay()
    for index, step in enumerate(scenario.steps):
        if not session.times.controlled:
            await asyncio.sleep(_GAP)
        session.times.begin(index)
        session.errors.clear()
        if step.op == "snapshot":
            result.snapshots[step.key] = await session.server.dump()
        else:
            result.returns[step.key] = await _result(session, index, step)
        session.times.end()
    result.state = await session.server.dump()
    return result


async def _result(session: Session, index: int, step: Step) -> JSON:
    """What a step gives back, or how toril refuses it; anything else that is raised is a fault."""
    try:
        return await perform(session, step.values)
    except REFUSALS as error:
        return error_view(error)
    except Exception as error:
        raise RuntimeError(f"step {index} {step.op} ({step.key}) broke") from error


async def perform(session: Session, values: Mapping[str, JSON]) -> JSON:
    """Do what a step says.

    Raises:
        UnknownOperation: toril has no such operation.
    """
    args = Args(session.times.fill_in_all(values))
    operation = OPERATIONS.get(args.text("op"))
    if operation is None:
        raise UnknownOperation(f"toril has nothing for {args.text('op')}")
    return await operation(session, args)
