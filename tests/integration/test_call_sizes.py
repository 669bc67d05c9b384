"""How many jobs share a call: few while most slots wait in their handlers, as many as may otherwise."""

from __future__ import annotations

import asyncio
from collections import deque

import msgspec
import pytest

from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from tests.support.trips import counting_trips
from toril import Job, JobSpec, Queue
from toril.store.redis.script import script
from toril.store.redis.wire import Word

SLOTS = 100
TOGETHER = 24


class Crowd:
    """A handler that holds its jobs until some are let go together."""

    def __init__(self) -> None:
        self._held: deque[asyncio.Future[None]] = deque()

    async def __call__(self, _job: Job) -> None:
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


@pytest.mark.parametrize(
    ("running", "sizes"),
    [
        pytest.param(SLOTS, [12, 12], id="most slots wait"),
        pytest.param(SLOTS // 2, [24], id="half of the slots are free"),
    ],
)
async def test_jobs_that_end_together_are_settled_in_parts_while_most_slots_wait(
    queue: Queue, start_worker: WorkerStarter, running: int, sizes: list[int]
) -> None:
    crowd = Crowd()
    await queue.add_many([JobSpec("work", n) for n in range(running)])
    await start_worker(crowd, concurrency=SLOTS)
    await eventually(lambda: crowd.size == running)

    with counting_trips() as trips:
        crowd.let_go(TOGETHER)
        await eventually(lambda: _all_completed(queue, TOGETHER))

    assert [size for size in map(_settlements, trips.calls(script("settle").digest)) if size] == sizes
    crowd.let_go(crowd.size)


def _settlements(call: tuple[Word, ...]) -> int:
    """How many jobs a call of the script settles."""
    packed = call[4]
    assert isinstance(packed, bytes)
    return len(msgspec.msgpack.decode(packed))


async def _all_completed(queue: Queue, count: int) -> bool:
    return await queue.get_completed_count() == count
