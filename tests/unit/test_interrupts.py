"""Jobs that are cancelled between being taken and being run, and what must not be broken off."""

from __future__ import annotations

import asyncio

from toril.core.connection import StoreLink
from toril.core.job import Job
from toril.core.worker.interrupts import Interrupts
from toril.core.worker.slots import Slots
from toril.core.worker.summons import CancelHearer
from toril.errors import JobCancelled
from toril.model.names import QueueRef

QUEUE = QueueRef("bull", "tasks")


def taken(id: str, token: str = "toril-1:0") -> Job:
    return Job(QUEUE, id, {}, link=StoreLink(QUEUE, None, None), token=token)


class Lane:
    """Slots that note what they run, and what fails instead."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.done = asyncio.Event()
        self.failed: list[tuple[str, str]] = []
        self.slots = Slots()
        self.slots.all_started = lambda: None
        self.slots.run = self.run
        self.interrupts = Interrupts(5)
        self.hearer = CancelHearer(self.slots, self.interrupts, self.fail)

    async def run(self, job: Job) -> None:
        await asyncio.sleep(0)
        self.ran.append(job.id)
        self.done.set()

    def fail(self, job: Job, error: BaseException) -> None:
        self.failed.append((job.id, str(error)))


async def test_a_job_that_no_slot_has_begun_is_not_run() -> None:
    lane = Lane()
    lane.slots.give([taken("1"), taken("2")])

    lane.hearer.cancel("2", "toril-1:0")
    await lane.done.wait()
    await lane.slots.stop()

    assert (lane.ran, lane.failed) == (["1"], [("2", "cancelled")])


async def test_word_of_an_earlier_run_is_not_for_this_one() -> None:
    lane = Lane()
    lane.slots.give([taken("1", "toril-1:7")])

    lane.hearer.cancel("1", "toril-1:0")
    lane.hearer.cancel("2", "toril-1:7")
    await lane.done.wait()
    await lane.slots.stop()

    assert (lane.ran, lane.failed) == (["1"], [])


async def test_what_is_done_beside_calling_the_handler_is_not_broken_off() -> None:
    lane = Lane()
    job = taken("1")
    lane.slots.give([job])
    await asyncio.sleep(0)
    assert job in lane.slots.running

    lane.hearer.cancel("1", "toril-1:0")
    await lane.done.wait()
    await lane.slots.stop()

    assert lane.ran == ["1"]
    assert lane.interrupts.reasons == {}


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
