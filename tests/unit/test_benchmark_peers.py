"""The part that all adapters for Python systems share, with a system of a few lines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from benchmarks.child import CannotError
from benchmarks.orders import Order
from benchmarks.peers.ledger import noop
from benchmarks.peers.shapes import BlockingProducer, Consumer, Producer
from benchmarks.peers.tasks import Adding, BlockingAdding, Working

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
            noop(id, number)
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
