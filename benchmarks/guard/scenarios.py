"""What is counted: the same work in every run, whatever the machine is busy with.

How many jobs share a call depends on who is faster. Here it can't: all callers ask in one turn of the loop,
and handlers wait until every slot has a job, then end together. What is counted begins and ends with all
slots full, so that neither connecting nor running empty is part of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from toril import AddOptions, Flow, FlowProducer, Job, Queue, Worker
from toril.model.names import QueueRef
from toril.store.contract import Store, Waiter
from toril.store.opening import open_store

#: Does what is counted; answers how many jobs, or rounds, that was.
Go = Callable[[], Awaitable[int]]

_CALLERS, _BULK, _CHILDREN, _SLOTS = 100, 1_000, 100, 100
# Seconds of an idle worker's wait here, instead of the usual five, and how many waits.
_WAIT, _WAITS = 0.2, 4
# Jobs that are taken after all others.
_LAST = AddOptions(priority=1)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of work.

    Attributes:
        name: In the file of budgets.
        unit: What the counts are for each of.
        play: Prepares it on a server at a URL, warm, and gives what does it.
        timed: Whether it waits for a clock, so that instructions would be those of the waiting.
    """

    name: str
    unit: str
    play: Callable[[str], AbstractAsyncContextManager[Go]]
    timed: bool = False


class Gate:
    """A handler that holds its jobs until every slot has one, and then lets all end.

    Args:
        slots: Of the worker.
        failing: Whether each job ends with an error.
    """

    def __init__(self, slots: int, *, failing: bool = False) -> None:
        self._slots = slots
        self._failing = failing
        self._held: list[asyncio.Future[None]] = []
        self._full: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def handle(self, _job: Job) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held.append(turn)
        if len(self._held) == self._slots:
            self._full.set_result(None)
        await turn
        if self._failing:
            raise RuntimeError("as it shall")

    async def filled(self) -> None:
        """Wait until every slot has a job."""
        await self._full

    async def let_through(self, times: int) -> int:
        """So many times, let all jobs end and wait for as many others; answers how many ended."""
        for _ in range(times):
            held, self._held = self._held, []
            self._full = asyncio.get_running_loop().create_future()
            for turn in held:
                turn.set_result(None)
            await self._full
        return times * self._slots


@asynccontextmanager
async def _add_one(url: str) -> AsyncGenerator[Go]:
    async with Queue("add-one", url=url) as queue:

        async def go(count: int = 100) -> int:
            for number in range(count):
                await queue.add("noop", {"n": number})
            return count

        await go(20)
        yield go


@asynccontextmanager
async def _add_concurrent(url: str) -> AsyncGenerator[Go]:
    async with Queue("add-concurrent", url=url) as queue:

        async def go(rounds: int = 3) -> int:
            for _ in range(rounds):
                await asyncio.gather(*(queue.add("noop", {"n": number}) for number in range(_CALLERS)))
            return rounds * _CALLERS

        await go(1)
        yield go


@asynccontextmanager
async def _add_many(url: str) -> AsyncGenerator[Go]:
    async with Queue("add-many", url=url) as queue:

        async def go(count: int = _BULK) -> int:
            await queue.add_many([("noop", {"n": number}) for number in range(count)])
            return count

        await go(200)
        yield go


@asynccontextmanager
async def _add_flow(url: str) -> AsyncGenerator[Go]:
    async with FlowProducer(url=url) as producer:

        async def go(flows: int = 3) -> int:
            await _flows(producer, "add-flow", flows)
            return flows * (_CHILDREN + 1)

        await go(1)
        yield go


async def _flows(producer: FlowProducer, queue: str, count: int) -> None:
    for _ in range(count):
        children = [Flow("child", {"n": number}, queue=queue) for number in range(_CHILDREN)]
        await producer.add(Flow("parent", {}, queue=queue, children=children))


async def _fill(queue: Queue, count: int, options: AddOptions | None = None) -> None:
    await queue.add_many([("noop", {"n": number}, options or {}) for number in range(count)])


def _drain(slots: int, rounds: int, warmup: int) -> Callable[[str], AbstractAsyncContextManager[Go]]:
    @asynccontextmanager
    async def play(url: str) -> AsyncGenerator[Go]:
        name = f"drain-{slots}"
        async with Queue(name, url=url) as queue:
            # One more round stays with the slots at the end, another waits, so that none looks in vain.
            await _fill(queue, slots * (warmup + rounds + 2))
        async with _working(url, name, Gate(slots), slots) as gate:
            await gate.let_through(warmup)
            yield lambda: gate.let_through(rounds)

    return play


@asynccontextmanager
async def _fail(url: str) -> AsyncGenerator[Go]:
    rounds = 1
    async with Queue("fail", url=url) as queue:
        # Each fails, is retried at once behind the others, and fails for good; then come those that stay.
        await _fill(queue, _SLOTS * rounds, AddOptions(attempts=2))
        await _fill(queue, _SLOTS * 2, _LAST)
    async with _working(url, "fail", Gate(_SLOTS, failing=True), _SLOTS) as gate:

        async def go() -> int:
            return await gate.let_through(2 * rounds) // 2

        yield go


@asynccontextmanager
async def _run_flow(url: str) -> AsyncGenerator[Go]:
    flows = 6
    async with FlowProducer(url=url) as producer:
        await _flows(producer, "run-flow", flows)
    async with _working(url, "run-flow", Gate(_SLOTS), _SLOTS) as gate:
        await gate.let_through(1)
        yield lambda: gate.let_through(flows - 3)


@asynccontextmanager
async def _working(url: str, queue: str, gate: Gate, slots: int) -> AsyncGenerator[Gate]:
    """A worker whose slots are full, that is connected, and that does nothing by the clock."""
    store = open_store(url)
    connected = _connected(store)
    worker = Worker(
        queue, gate.handle, store=store, concurrency=slots, skip_lock_renewal=True, skip_stalled_check=True
    )
    await worker.start()
    try:
        await gate.filled()
        await connected.wait()
        yield gate
    finally:
        await worker.close(force=True)
        await store.close()


def _connected(store: Store) -> asyncio.Event:
    """Set when what waits for word of jobs is connected, which is no part of a job's cost."""
    connected, make = asyncio.Event(), store.waiter

    def waiter(queue: QueueRef, worker: str | None) -> Waiter:
        made = make(queue, worker)
        connect = made.connect

        async def connect_and_tell() -> None:
            await connect()
            connected.set()

        setattr(made, connect.__name__, connect_and_tell)
        return made

    setattr(store, make.__name__, waiter)
    return connected


class _Held:
    """A store whose worker waits for word of a job only as often as it is let."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waits = asyncio.Semaphore(0)
        self._is_held = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def waiter(self, queue: QueueRef, worker: str | None) -> Waiter:
        waiter = self._store.waiter(queue, worker)
        wait = waiter.wait

        async def held(timeout: float) -> int | None:
            self._is_held.set()
            await self._waits.acquire()
            return await wait(timeout)

        setattr(waiter, wait.__name__, held)
        return waiter

    async def let_wait(self) -> None:
        """One wait and what comes of it, until the next would begin and nothing else is under way."""
        await self._is_held.wait()
        self._is_held.clear()
        self._waits.release()
        await self._is_held.wait()


@asynccontextmanager
async def _idle(url: str) -> AsyncGenerator[Go]:
    async def nothing(_job: Job) -> None:
        pass

    store = open_store(url)
    held = _Held(store)
    worker = Worker(
        "idle",
        nothing,
        store=cast("Store", held),
        drain_delay=_WAIT,
        skip_lock_renewal=True,
        skip_stalled_check=True,
    )

    async def go() -> int:
        for _ in range(_WAITS):
            await held.let_wait()
        return _WAITS

    async with worker:
        await held.let_wait()
        yield go
    await store.close()


SCENARIOS: Sequence[Scenario] = (
    Scenario("add-one", "job", _add_one),
    Scenario("add-concurrent", "job", _add_concurrent),
    Scenario("add-many", "job", _add_many),
    Scenario("add-flow", "job", _add_flow),
    Scenario("drain-1", "job", _drain(1, rounds=100, warmup=10)),
    Scenario("drain-100", "job", _drain(_SLOTS, rounds=3, warmup=1)),
    Scenario("fail", "job", _fail),
    Scenario("run-flow", "job", _run_flow),
    Scenario("idle", "wait", _idle, timed=True),
)


def choose(names: Sequence[str]) -> list[Scenario]:
    """The scenarios of these names; all, if none is given.

    Raises:
        ValueError: There is no such scenario.
    """
    known = {scenario.name: scenario for scenario in SCENARIOS}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"there is no scenario {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in names or known]
