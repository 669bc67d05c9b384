"""How many jobs share a call: parts while most slots wait in their handlers, as many as may otherwise."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import msgspec
import pytest

from tests.support.eventually import all_completed, eventually
from tests.support.factories import WorkerStarter
from tests.support.proxy import Proxy
from tests.support.trips import counting_trips
from toril import Job, JobSpec, Queue, RateLimit
from toril.model.names import QueueRef
from toril.model.pace import Pace
from toril.store.contract import Store
from toril.store.redis.script import script
from toril.store.redis.wire import Word
from toril.store.values import Claim, Settled

SLOTS, PART = 100, 12


class Crowd:
    """A handler that holds its jobs until some are let go together."""

    def __init__(self) -> None:
        self._held: deque[asyncio.Future[None]] = deque()

    async def __call__(self, job: Job) -> None:
        if job.name == "first":
            return
        gate = asyncio.get_running_loop().create_future()
        self._held.append(gate)
        await gate

    @property
    def size(self) -> int:
        return len(self._held)

    def let_go(self, count: int) -> None:
        """So many come to their end in the same turn of the loop."""
        for _ in range(count):
            self._held.popleft().set_result(None)

    def meet_limit(self) -> None:
        """One more ends, by a rate limit."""
        self._held.popleft().set_exception(RateLimit(30))


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server counts as near, however long a busy machine takes for the few calls of a test."""
    took = Pace.took

    def took_little(pace: Pace, _seconds: float) -> None:
        took(pace, 0.0003)

    monkeypatch.setattr(Pace, "took", took_little)


@pytest.mark.usefixtures("near")
@pytest.mark.parametrize(
    ("running", "sizes"),
    [
        pytest.param(SLOTS, [PART, PART], id="most slots wait"),
        pytest.param(SLOTS // 2, [2 * PART], id="half of the slots are free"),
    ],
)
async def test_jobs_that_end_together_are_settled_in_parts_while_most_slots_wait(
    queue: Queue, start_worker: WorkerStarter, running: int, sizes: list[int]
) -> None:
    crowd = Crowd()
    await _start(queue, start_worker, crowd, running)

    assert await _sizes(queue, crowd) == sizes


@pytest.mark.usefixtures("near")
async def test_a_paused_worker_settles_in_whole_calls(queue: Queue, start_worker: WorkerStarter) -> None:
    crowd = Crowd()
    worker = await _start(queue, start_worker, crowd, SLOTS)
    await worker.pause(wait=False)

    assert await _sizes(queue, crowd) == [2 * PART]


async def test_a_far_server_gets_whole_calls(queue: Queue, proxy: Proxy, start_worker: WorkerStarter) -> None:
    crowd = Crowd()
    proxy.delay = 0.005
    await _start(queue, start_worker, crowd, SLOTS, url=proxy.url)

    assert await _sizes(queue, crowd) == [2 * PART]


@pytest.mark.usefixtures("near")
async def test_no_call_takes_jobs_once_a_rate_limit_was_met(
    store: Store, queue: Queue, start_worker: WorkerStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither does one that leaves before the settlement of the job that met it."""
    settle, answering, claims = store.jobs.settle, asyncio.Event(), list[Claim | None]()

    async def slowly(ref: QueueRef, settlements: Any, claim: Claim | None, **more: Any) -> Settled:
        claims.append(claim)
        settled = await settle(ref, settlements, claim, **more)
        await answering.wait()
        return settled

    crowd = Crowd()
    await _start(queue, start_worker, crowd, SLOTS, store=store)
    monkeypatch.setattr(store.jobs, "settle", slowly)
    for calls in (1, 2):
        crowd.let_go(PART)
        await eventually(lambda calls=calls: len(claims) == calls)
    crowd.let_go(PART)
    crowd.meet_limit()
    await eventually(queue.get_rate_limit_ttl)
    taking = len(claims)
    answering.set()
    await eventually(lambda: all_completed(queue, 1 + 3 * PART))

    assert set(claims[taking:]) == {None}
    crowd.let_go(crowd.size)


async def _start(
    queue: Queue, start_worker: WorkerStarter, crowd: Crowd, running: int, **options: Any
) -> Any:
    """A worker that holds so many jobs."""
    worker = await start_worker(crowd, concurrency=SLOTS, **options)
    await (await queue.add("first")).result(timeout=10)
    await queue.add_many([JobSpec("work", n) for n in range(running)])
    await eventually(lambda: crowd.size == running)
    return worker


async def _sizes(queue: Queue, crowd: Crowd) -> list[int]:
    """How many jobs each call settles of those that end together."""
    with counting_trips() as trips:
        crowd.let_go(2 * PART)
        await eventually(lambda: all_completed(queue, 1 + 2 * PART))
    crowd.let_go(crowd.size)
    return [size for size in map(_settlements, trips.calls(script("settle").digest)) if size]


def _settlements(call: tuple[Word, ...]) -> int:
    """How many jobs a call of the script settles."""
    packed = call[4]
    assert isinstance(packed, bytes)
    return len(msgspec.msgpack.decode(packed))
