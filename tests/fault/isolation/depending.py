"""Handlers with dependencies and limits, that children of the tests import."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from toril import BlockingJob, CancelToken, Depends, Job, JobLogger, SoftTimeout


@dataclass
class Pool:
    """A resource that knows where it was made."""

    pid: int
    runs: int = 0


def note(row: object) -> None:
    """Leave word where the test finds it."""
    with Path(os.environ["TORIL_TEST_NOTES"]).open("a") as notes:
        notes.write(f"{row}\n")


async def make_pool() -> AsyncGenerator[Pool]:
    note(f"open {os.getpid()}")
    await asyncio.sleep(0)
    yield Pool(os.getpid())
    note(f"close {os.getpid()}")


def make_run(pool: Annotated[Pool, Depends(make_pool)]) -> Generator[int]:
    pool.runs += 1
    try:
        yield pool.runs
    except BaseException as error:
        note(f"rolled back by {type(error).__name__}")
        raise
    note("committed")


async def make_row(job: Job) -> str:
    await job.log("made")
    return f"row of {job.id}"


def fake_pool() -> Pool:
    return Pool(-1)


def bad_pool() -> Pool:
    raise LookupError("no database")


Shared = Annotated[Pool, Depends(make_pool)]
Run = Annotated[int, Depends(make_run, scope="job")]
Row = Annotated[str, Depends(make_row, scope="job")]


async def on_loop(job: Job, pool: Shared, run: Run, row: Row, log: JobLogger) -> list[Any]:
    await job.log("handled")
    return [os.getpid(), pool.pid, run, row, log.logger.name]


def plain(job: BlockingJob, pool: Shared, run: Run, row: Row, log: JobLogger) -> list[Any]:
    job.log("handled")
    # The loop of the child rests meanwhile, so that a plain function may have one of its own.
    assert asyncio.run(_one()) == 1
    assert threading.current_thread() is threading.main_thread()
    return [os.getpid(), pool.pid, run, row, log.logger.name]


async def _one() -> int:
    await asyncio.sleep(0)
    return 1


async def late_answer(job: Job, pool: Shared) -> int:
    return pool.pid


def hands_on(job: BlockingJob, pool: Shared) -> Any:
    async def later() -> int:
        await asyncio.sleep(0)
        return pool.pid

    return later()


def fails(job: BlockingJob, run: Run) -> None:
    raise {"key": KeyError("gone"), "exit": SystemExit(3)}[job.data]


async def fails_on_loop(job: Job, run: Run) -> None:
    raise {"key": KeyError("gone"), "exit": SystemExit(3)}[job.data]


def pid(job: BlockingJob) -> int:
    return os.getpid()


def hangs(job: BlockingJob, run: Run) -> int:
    """Does not listen, but for what ends it by force; goes well when it is tried again."""
    if job.attempts_started > 1:
        return os.getpid()
    note(f"hangs {os.getpid()}")
    time.sleep(60)
    return 0


async def hangs_on_loop(job: Job, run: Run) -> int:
    note(f"hangs {os.getpid()}")
    await asyncio.sleep(60)
    return 0


def listens(job: BlockingJob, run: Run) -> None:
    note(f"hangs {os.getpid()}")
    while True:
        job.check_cancelled()
        time.sleep(0.01)


def fails_at_first() -> None:
    note("start")
    if Path(os.environ["TORIL_TEST_NOTES"]).read_text().count("start") == 1:
        raise LookupError("no model to load")


async def softly_on_loop(job: Job) -> list[Any]:
    return [os.getpid(), await _heard(job)]


async def _heard(job: Job) -> str:
    try:
        await asyncio.sleep(60)
    except SoftTimeout as soft:
        return str(soft)
    return "nothing"


def softly(job: BlockingJob) -> list[Any]:
    try:
        listens_plainly(job)
    except SoftTimeout as soft:
        # Once is enough.
        job.check_cancelled()
        return [os.getpid(), str(soft)]
    return []


def listens_plainly(job: BlockingJob) -> None:
    while True:
        job.check_cancelled()
        time.sleep(0.01)


async def lets_it_out(job: Job) -> None:
    await asyncio.sleep(60)


async def deaf_to_soft(job: Job) -> None:
    try:
        await asyncio.sleep(60)
    except SoftTimeout:
        note("soft")
    await asyncio.sleep(60)


def waits_for_token(job: BlockingJob, token: CancelToken) -> None:
    note(f"hangs {os.getpid()}")
    told = token.wait(60)
    note(f"token {told} {bool(job.cancelled)}")


async def has_thread_wait_for_token(job: Job, token: CancelToken) -> None:
    """What was cancelled natively can tell its threads by the token."""
    note(f"hangs {os.getpid()}")
    await asyncio.to_thread(_wait, token)


def _wait(token: CancelToken) -> None:
    told = token.wait(60)
    note(f"token {told} {token.cancelled}")
