"""The part that all adapters for Python systems share, with a system of a few lines."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from benchmarks.child import CannotError, wall_us
from benchmarks.orders import Order
from benchmarks.peers.ledger import LEDGER, handle, handle_async
from benchmarks.peers.shapes import BlockingProducer, Consumer, Producer
from benchmarks.peers.tasks import Adding, BlockingAdding, Working
from tests.support.eventually import eventually

FEW = 7


class Shelf:
    """A queue in memory."""

    def __init__(self) -> None:
        self.jobs: list[tuple[str, int]] = []
        self.kept = 0
        self.calls = 0

    def put(self, numbers: Sequence[int]) -> list[str]:
        self.calls += 1
        ids = [str(len(self.jobs) + place) for place in range(len(numbers))]
        self.jobs += zip(ids, numbers, strict=True)
        return ids


class Async(Producer):
    bulk = True

    def __init__(self, shelf: Shelf) -> None:
        super().__init__("", "")
        self.shelf = shelf

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def waiting(self) -> int:
        return len(self.shelf.jobs)

    async def add(self, number: int) -> tuple[str, Any]:
        (id,) = self.shelf.put([number])
        return id, id

    async def add_many(self, numbers: Sequence[int]) -> list[str]:
        return self.shelf.put(numbers)

    async def result(self, handle: Any) -> Any:
        return handle


class Threaded(BlockingProducer):
    def __init__(self, shelf: Shelf) -> None:
        super().__init__("", "")
        self.shelf = shelf
        self._lock = threading.Lock()

    def open(self) -> None: ...

    def close(self) -> None: ...

    def waiting(self) -> int:
        return len(self.shelf.jobs)

    def add(self, number: int) -> tuple[str, Any]:
        with self._lock:
            (id,) = self.shelf.put([number])
        return id, id

    def result(self, handle: Any) -> Any:
        return handle


class Runner(Consumer):
    most_slots = 2

    def __init__(self, shelf: Shelf, slots: int = 1) -> None:
        super().__init__("", "", slots)
        self.shelf = shelf

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def start(self) -> None:
        self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        for id, number in self.shelf.jobs:
            await handle_async(id, number)
        # Results are kept later than the last handler began.
        await asyncio.sleep(0)
        self.shelf.kept += len(self.shelf.jobs)

    async def kept(self) -> int:
        return self.shelf.kept


def adding(mode: str, **more: Any) -> Order:
    return Order(verb="add", url="", mode=mode, callers=3, chunk=5, **more)


@pytest.mark.parametrize("mode", ["one", "concurrent", "bulk", "fill"])
async def test_each_way_of_adding_adds_every_job_once(mode: str) -> None:
    shelf = Shelf()
    task = Adding(adding(mode), Async(shelf), FEW)
    await task.ready()
    await task.go()
    told = await task.result()

    assert sorted(told["ids"]) == [str(number) for number in range(FEW)]
    assert sorted(number for _, number in shelf.jobs) == list(range(FEW))
    assert told["waiting"] == FEW
    assert shelf.calls == (2 if mode in ("bulk", "fill") else FEW)


@pytest.mark.parametrize("mode", ["one", "concurrent", "fill"])
async def test_each_way_of_adding_with_threads_adds_every_job_once(mode: str) -> None:
    shelf = Shelf()
    task = BlockingAdding(adding(mode), Threaded(shelf), FEW)
    await task.ready()
    await task.go()
    told = await task.result()

    assert sorted(told["ids"]) == [str(number) for number in range(FEW)]
    assert sorted(number for _, number in shelf.jobs) == list(range(FEW))


def test_a_system_without_bulk_adds_says_so() -> None:
    with pytest.raises(CannotError, match="no bulk add"):
        BlockingAdding(adding("bulk"), Threaded(Shelf()), FEW)


def test_what_only_toril_and_bullmq_are_measured_by_is_refused() -> None:
    with pytest.raises(CannotError, match="toril and BullMQ only"):
        Adding(adding("delayed"), Async(Shelf()), FEW)
    with pytest.raises(CannotError, match="toril and BullMQ only"):
        Working(Order(verb="work", url="", job="fail"), Runner(Shelf()), FEW)


def test_a_worker_that_runs_fewer_jobs_at_once_says_so() -> None:
    with pytest.raises(CannotError, match="runs 2 job"):
        Runner(Shelf(), slots=3)


async def test_results_that_are_awaited_have_their_instants() -> None:
    task = Adding(adding("await", pauses_ms=[0.0] * FEW), Async(Shelf()), FEW)
    await task.go()

    notes = task.notes
    assert notes["at_us"].keys() == notes["done_us"].keys() == set(notes["ids"])
    assert all(notes["done_us"][id] >= at for id, at in notes["at_us"].items())


async def test_what_arrives_counts_from_the_instant_that_was_planned_for_it() -> None:
    """A producer that is slow does not make an arrival later."""
    order = adding("arriving", pauses_ms=[1.0] * FEW)
    for task in (Adding(order, Async(Shelf()), FEW), BlockingAdding(order, Threaded(Shelf()), FEW)):
        before_us = wall_us()
        await task.go()
        after_us = wall_us()

        planned = sorted(task.notes["at_us"].values())
        assert len(task.notes["ids"]) == len(planned) == FEW
        assert [round(later - sooner) for sooner, later in pairwise(planned)] == [1000] * (FEW - 1)
        assert before_us + 1000 <= planned[0]
        assert planned[-1] <= after_us


async def test_no_add_waits_for_another_that_takes_long() -> None:
    shelf, slow = Shelf(), asyncio.Event()

    class Slow(Async):
        async def add(self, number: int) -> tuple[str, Any]:
            if number == 0:
                await slow.wait()
            if number == FEW - 1:
                slow.set()
            return await super().add(number)

    task = Adding(adding("arriving", pauses_ms=[0.0] * FEW), Slow(shelf), FEW)
    await task.go()

    assert [number for _, number in shelf.jobs] == [*range(1, FEW), 0]


async def test_workers_of_one_queue_are_through_when_all_results_are_kept() -> None:
    shelf = Shelf()
    shelf.put(range(FEW))
    task = Working(Order(verb="work", url="", shared=True), Runner(shelf), 2 * FEW)
    await task.ready()
    going = asyncio.create_task(task.go())
    await eventually(lambda: len(LEDGER.ids) == FEW)
    assert not going.done()
    # What another worker did.
    shelf.kept += FEW
    await going

    assert (await task.result())["completed"] == 2 * FEW


@pytest.mark.parametrize("job", ["io", "cpu"])
async def test_a_job_takes_as_long_as_its_kind_says(job: str) -> None:
    LEDGER.open(Order(verb="work", url="", job=job), 2, None)
    began = time.perf_counter()
    assert handle("1", 5) == await handle_async("2", 5) == 5

    assert LEDGER.ids == ["1", "2"]
    assert time.perf_counter() - began > 0.01


async def test_a_worker_is_through_when_its_results_are_kept() -> None:
    shelf = Shelf()
    shelf.put(range(FEW))
    # Of another queue, before.
    shelf.kept = 5
    task = Working(Order(verb="work", url="", stamps=True), Runner(shelf), FEW)
    await task.ready()
    await task.go()
    told = await task.result()

    assert told["completed"] == told["seen"] == FEW
    assert sorted(told["ids"]) == sorted(told["at_us"]) == [str(number) for number in range(FEW)]


async def test_without_a_ledger_jobs_are_counted() -> None:
    shelf = Shelf()
    shelf.put(range(FEW))
    task = Working(Order(verb="work", url="", ledger=False), Runner(shelf), FEW)
    await task.ready()
    await task.go()
    told = await task.result()

    assert (told["ids"], told["seen"], told["completed"]) == ([], FEW, FEW)
