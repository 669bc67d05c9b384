"""Jobs that are cancelled between being taken and being run, and what must not be broken off."""

from __future__ import annotations

import asyncio
from typing import cast

from tests.support.eventually import eventually
from toril.core.connection import StoreLink
from toril.core.job import Job
from toril.core.worker.interrupts import Interrupts
from toril.core.worker.run import Runner
from toril.core.worker.settings import Settings
from toril.core.worker.slots import Slots
from toril.core.worker.summons import CancelHearer
from toril.errors import JobCancelled
from toril.model.names import QueueRef
from toril.store.contract import Store

QUEUE = QueueRef("bull", "tasks")


def taken(id: str, token: str = "toril-1:0") -> Job:
    return Job(QUEUE, id, {}, link=StoreLink(QUEUE, None, None), token=token)


class Clock:
    """All of a store that is needed here."""

    def now_ms(self) -> int:
        return 0


class Lane:
    """Slots that note what became of their jobs. Before the handler is called they stop at a gate."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str]] = []
        self.done = asyncio.Event()
        self.gate = asyncio.Event()
        self.slots = Slots()
        self.slots.all_started = lambda: None
        self.slots.run = self.run_job
        self.runner = Runner(self, Settings(), cast("Store", Clock()))
        self.hearer = CancelHearer(self.slots, self.runner.interrupts)

    async def run_job(self, job: Job) -> None:
        await self.gate.wait()
        settling = await self.runner.run(job)
        self.ended.append((job.id, str(settling.error or settling.result)))
        self.done.set()

    async def run(self, job: Job, /) -> str:
        return "ran"

    async def outcome(self) -> list[tuple[str, str]]:
        self.gate.set()
        await self.done.wait()
        await self.slots.stop()
        return self.ended


async def test_a_job_that_no_slot_has_begun_is_not_run() -> None:
    lane = Lane()
    lane.slots.give([taken("1"), taken("2")])

    lane.hearer.cancel("2", "toril-1:0")

    assert await lane.outcome() == [("1", "ran"), ("2", "cancelled")]
    assert lane.runner.interrupts.reasons == {}


async def test_a_job_whose_handler_was_not_called_yet_is_not_run() -> None:
    lane = Lane()
    lane.slots.give([job := taken("1")])
    await asyncio.sleep(0)
    assert job in lane.slots.running

    lane.hearer.cancel("1", "toril-1:0")

    assert await lane.outcome() == [("1", "cancelled")]


async def test_word_that_is_quicker_than_its_job_is_kept_for_it() -> None:
    lane = Lane()
    jobs = [taken("1"), taken("2")]

    lane.hearer.cancel("2", "toril-1:0")
    lane.slots.give(jobs)
    lane.hearer.catch_up(jobs)

    assert await lane.outcome() == [("1", "ran"), ("2", "cancelled")]


async def test_of_words_for_jobs_that_are_gone_only_so_many_are_kept() -> None:
    lane = Lane()
    jobs = [taken("0"), taken("1500")]
    for number in range(2000):
        lane.hearer.cancel(str(number), "toril-1:0")

    lane.slots.give(jobs)
    lane.hearer.catch_up(jobs)

    assert await lane.outcome() == [("0", "ran"), ("1500", "cancelled")]


async def test_word_of_an_earlier_run_is_not_for_this_one() -> None:
    lane = Lane()
    lane.slots.give([taken("1", "toril-1:7")])

    lane.hearer.cancel("1", "toril-1:0")
    lane.hearer.cancel("2", "toril-1:7")

    assert await lane.outcome() == [("1", "ran")]


async def test_what_is_done_after_the_handler_is_not_broken_off() -> None:
    interrupts = Interrupts(0.01)
    job = taken("1")
    task = asyncio.create_task(asyncio.sleep(60))

    interrupts.end(job, task, JobCancelled())

    assert task.cancelling() == 0
    await eventually(lambda: not interrupts.reasons)
    task.cancel()


async def test_the_first_reason_stands() -> None:
    interrupts = Interrupts(5)
    job, first = taken("1"), JobCancelled()
    task = asyncio.create_task(asyncio.sleep(60))
    interrupts.calls.add(job)

    interrupts.end(job, task, first)
    interrupts.end(job, task, JobCancelled("another"))

    assert task.cancelling() == 1
    assert interrupts.reason(job) is first
    await asyncio.wait([task])
