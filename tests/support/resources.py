"""Resources for handlers of tests, which tell what becomes of them."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import AsyncGenerator, Generator
from typing import Annotated

from toril import (
    BlockingJob,
    Depends,
    Job,
)

# What happened, in its order.
story: list[str] = []

tenant = contextvars.ContextVar("tenant", default="nobody")


class Pool:
    """A stand-in for a pool of connections."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.open = True


@contextlib.contextmanager
def told(name: str) -> Generator[str]:
    """Tell when something is opened, and how it is closed."""
    story.append(f"{name} opened")
    try:
        yield name
    except BaseException as error:
        story.append(f"{name} rolled back: {type(error).__name__}")
        raise
    else:
        story.append(f"{name} closed")


async def make_pool() -> AsyncGenerator[Pool]:
    with told("pool") as name:
        pool = Pool(name)
        yield pool
        pool.open = False


def make_model(pool: Annotated[Pool, Depends(make_pool)]) -> Generator[str]:
    with told(f"model on {pool.name}") as name:
        yield name


async def make_session(job: Job, pool: Annotated[Pool, Depends(make_pool)]) -> AsyncGenerator[str]:
    assert pool.open
    with told(f"session of {job.name}") as name:
        tenant.set(name)
        yield name


PoolDep = Annotated[Pool, Depends(make_pool)]
Session = Annotated[str, Depends(make_session, scope="job")]
Model = Annotated[str, Depends(make_model)]


async def on_loop(job: Job, pool: PoolDep, session: Session, model: Model) -> list[str]:
    story.append(f"{job.name} runs for {tenant.get()}")
    return [pool.name, session, model]


def in_thread(job: BlockingJob, pool: PoolDep, session: Session, model: Model) -> list[str]:
    assert threading.current_thread() is not threading.main_thread()
    job.update_progress(1)
    story.append(f"{job.name} runs for {tenant.get()}")
    return [pool.name, session, model]


def by_function() -> Pool:
    return Pool("function")


def by_generator() -> Generator[Pool]:
    with told("generator") as name:
        yield Pool(name)
