"""What handlers need beside their job is made for them, and cleaned up behind them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from tests.support.eventually import eventually
from tests.support.factories import WorkerFactory, WorkerStarter
from tests.support.resources import (
    Pool,
    PoolDep,
    Session,
    by_function,
    by_generator,
    in_thread,
    make_pool,
    make_session,
    on_loop,
    story,
    tenant,
    told,
)
from toril import (
    BlockingJob,
    Depends,
    Job,
    JobFailed,
    JobLogger,
    Queue,
    Retry,
    Unrecoverable,
)


@pytest.fixture(autouse=True)
def _from_the_beginning() -> None:
    story.clear()


@dataclass
class Order:
    id: int


@pytest.mark.parametrize("handler", [on_loop, in_thread])
async def test_the_life_of_resources(
    queue: Queue, start_worker: WorkerStarter, handler: Callable[..., Any]
) -> None:
    worker = await start_worker(handler)
    for name in ("one", "two"):
        result = await (await queue.add(name)).result(timeout=5)
        assert result == ["pool", f"session of {name}", "model on pool"]
    await worker.close()

    assert story == [
        *("pool opened", "model on pool opened"),
        *("session of one opened", "one runs for session of one", "session of one closed"),
        *("session of two opened", "two runs for session of two", "session of two closed"),
        *("model on pool closed", "pool closed"),
    ]
    assert tenant.get() == "nobody"


async def test_handlers_by_name_share_what_lives_with_the_worker(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    await start_worker({"loop": on_loop, "thread": in_thread}, concurrency=2)
    jobs = [await queue.add(name) for name in ("loop", "thread")]
    for job in jobs:
        await job.result(timeout=5)

    assert [line for line in story if line.startswith("pool")] == ["pool opened"]


# --- all that can make a resource ---


async def by_coroutine() -> Pool:
    return Pool("coroutine")


async def by_async_generator() -> AsyncGenerator[Pool]:
    with told("async generator") as name:
        yield Pool(name)


@contextlib.contextmanager
def by_manager() -> Generator[Pool]:
    with told("manager") as name:
        yield Pool(name)


@contextlib.asynccontextmanager
async def by_async_manager() -> AsyncGenerator[Pool]:
    with told("async manager") as name:
        yield Pool(name)


class ByClass(Pool):
    def __init__(self) -> None:
        super().__init__("class")

    def __enter__(self) -> ByClass:
        story.append("class opened")
        return self

    def __exit__(self, *failure: object) -> None:
        story.append("class closed")


class ByAsyncClass(Pool):
    def __init__(self, name: str = "async class") -> None:
        super().__init__(name)

    async def __aenter__(self) -> ByAsyncClass:
        story.append("async class opened")
        return self

    async def __aexit__(self, *failure: object) -> None:
        story.append("async class closed")


class ByObject:
    async def __call__(self) -> AsyncGenerator[Pool]:
        with told("object") as name:
            yield Pool(name)

    def method(self) -> Generator[Pool]:
        with told("method") as name:
            yield Pool(name)


async def names_of(job: Job, pool: PoolDep) -> str:
    return pool.name


@pytest.mark.parametrize(
    ("make", "name", "cleans"),
    [
        (by_function, "function", False),
        (by_coroutine, "coroutine", False),
        (lambda: Pool("lambda"), "lambda", False),
        (by_generator, "generator", True),
        (by_async_generator, "async generator", True),
        (by_manager, "manager", True),
        (by_async_manager, "async manager", True),
        (ByClass, "class", True),
        (ByAsyncClass, "async class", True),
        (ByObject(), "object", True),
        (ByObject().method, "method", True),
    ],
)
async def test_what_can_make_a_resource(
    queue: Queue, new_worker: WorkerFactory, make: Any, name: str, cleans: bool
) -> None:
    worker = new_worker(names_of)
    worker.override(make_pool, make)
    await worker.start()
    assert await (await queue.add("work")).result(timeout=5) == name
    await worker.close()

    assert story == ([f"{name} opened", f"{name} closed"] if cleans else [])


def plain_lock() -> threading.Lock:
    return threading.Lock()


async def locks(job: Job, lock: Annotated[Any, Depends(plain_lock)]) -> bool:
    return lock.locked()


async def test_what_a_function_returns_is_not_entered(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(locks)

    assert await (await queue.add("work")).result(timeout=5) is False


# --- one resource, one scope, one making ---


def count() -> Generator[int]:
    story.append("counted")
    yield len(story)


Counted = Annotated[int, Depends(count, scope="job")]


def twice(counted: Counted) -> int:
    return counted * 2


async def counting(
    first: Counted, job: Job, doubled: Annotated[int, Depends(twice, scope="job")], last: Counted = 0
) -> list[Any]:
    return [first, job.name, doubled, last]


async def test_a_run_makes_each_of_its_own_once(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(counting)

    assert await (await queue.add("one")).result(timeout=5) == [1, "one", 2, 1]
    assert await (await queue.add("two")).result(timeout=5) == [2, "two", 4, 2]


Seven = Annotated[int, Depends(lambda: 7)]


async def typed(pool: PoolDep, order: Order, *, log: JobLogger, job: Seven) -> Any:
    return [pool.name, order.id, job, log.extra]


def typed_thread(order: Order, session: Session, job: BlockingJob, size: int = 3) -> list[Any]:
    return [order.id, session, job.name, size]


async def alone(pool: PoolDep) -> str:
    return pool.name


async def test_payloads_and_resources_in_any_order(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker({"typed": typed, "thread": typed_thread, "alone": alone})
    job = await queue.add("typed", Order(5))
    facts = {"queue": "tasks", "job_id": job.id, "job_name": "typed"}

    assert await job.result(timeout=5) == ["pool", 5, 7, facts]
    thread = await queue.add("thread", Order(6))
    assert await thread.result(timeout=5) == [6, "session of thread", "thread", 3]
    assert await (await queue.add("alone")).result(timeout=5) == "pool"


# --- how a run ends ---


async def steered(job: Job, session: Session) -> str:
    match job.data:
        case "fail":
            raise KeyError("nothing")
        case "again" if not job.attempts_made:
            raise Retry(delay=0)
        case "never":
            await asyncio.Event().wait()
        case _:
            return session
    return "never"


async def test_a_resource_sees_how_the_run_ended(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(steered)
    with pytest.raises(JobFailed, match="nothing"):
        await (await queue.add("work", "fail")).result(timeout=5)
    await (await queue.add("work", "again", attempts=2)).result(timeout=5)

    ends = [line.removeprefix("session of work ") for line in story if "opened" not in line]
    assert ends == ["rolled back: KeyError", "rolled back: Retry", "closed"]


async def test_a_cancelled_run_cleans_up_before_the_job_waits_again(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    worker = await start_worker(steered)
    await queue.add("work", "never")
    await eventually(lambda: "session of work opened" in story)
    await worker.close(force=True)

    assert story[-2:] == ["session of work rolled back: CancelledError", "pool closed"]
    assert await queue.get_waiting_count() == 1


def fails_at_commit() -> Generator[str]:
    yield "session"
    raise OSError("disk full")


def swallows() -> Generator[str]:
    with contextlib.suppress(KeyError):
        yield "session"


def fails_at_once(job: Job) -> str:
    raise Unrecoverable(f"no session for {job.name}")


@pytest.mark.parametrize(
    ("make", "data", "reason"),
    [
        (fails_at_commit, None, "disk full"),
        (swallows, "fail", "nothing"),
        (fails_at_once, None, "no session"),
    ],
)
async def test_a_run_whose_resource_fails_has_failed(
    queue: Queue, new_worker: WorkerFactory, make: Any, data: Any, reason: str
) -> None:
    worker = new_worker(steered)
    worker.override(make_session, make)
    await worker.start()
    with pytest.raises(JobFailed, match=reason):
        await (await queue.add("work", data)).result(timeout=5)

    assert worker.is_running
    assert await queue.get_failed_count() == 1
