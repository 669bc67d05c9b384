"""Ids of your own, and what happens when one exists already."""

from __future__ import annotations

import pytest

from tests.support.clock import Clock
from tests.support.factories import QueueFactory, WorkerFactory
from toril import Dedup, DuplicateJob, JobLocked, OptionError, Queue
from toril.store.contract import Store


async def test_ids_are_numbers_unless_you_choose_one(queue: Queue) -> None:
    assert [(await queue.add("work")).id for _ in range(3)] == ["1", "2", "3"]
    assert (await queue.add("work", job_id="invoice-17")).id == "invoice-17"


async def test_a_job_of_an_existing_id_is_not_added_again(queue: Queue) -> None:
    first = await queue.add("work", {"try": 1}, job_id="invoice-17")
    second = await queue.add("work", {"try": 2}, job_id="invoice-17")

    assert (first.created, second.created) == (True, False)
    assert second.data == {"try": 1}
    assert await queue.count() == 1


async def test_or_it_is_an_error(queue: Queue) -> None:
    await queue.add("work", job_id="invoice-17")

    with pytest.raises(DuplicateJob, match="invoice-17"):
        await queue.add("work", job_id="invoice-17", on_duplicate="raise")
    assert await queue.count() == 1


async def test_or_it_takes_the_place_of_the_old_one(queue: Queue) -> None:
    await queue.add("work", {"try": 1}, job_id="invoice-17", delay=60)
    second = await queue.add("work", {"try": 2}, job_id="invoice-17", on_duplicate="replace")

    stored = await queue.get_job("invoice-17")

    assert second.created
    assert stored is not None
    assert (stored.data, await stored.state()) == ({"try": 2}, "waiting")
    assert await queue.count() == 1


async def test_a_running_job_is_not_replaced(queue: Queue, new_worker: WorkerFactory) -> None:
    await queue.add("work", {"try": 1}, job_id="invoice-17")
    assert await new_worker().get_next_job()

    with pytest.raises(JobLocked):
        await queue.add("work", {"try": 2}, job_id="invoice-17", on_duplicate="replace")
    stored = await queue.get_job("invoice-17")
    assert stored is not None
    assert stored.data == {"try": 1}


async def test_an_id_is_free_again_when_its_job_is_removed(queue: Queue) -> None:
    job = await queue.add("work", job_id="invoice-17")
    await job.remove()

    assert (await queue.add("work", job_id="invoice-17")).created


@pytest.mark.parametrize("id", ["12", "0", "-3", "a:b", "0:7", "wait", "meta", "completed"])
async def test_an_id_must_not_look_like_one_of_the_queues_own(queue: Queue, id: str) -> None:
    with pytest.raises(OptionError):
        await queue.add("work", job_id=id)
    assert await queue.count() == 0


async def test_jobs_that_mean_the_same_are_added_once(queue: Queue) -> None:
    first = await queue.add("index", {"page": 1}, deduplication=Dedup.simple("page-1"))
    second = await queue.add("index", {"page": 1}, deduplication=Dedup.simple("page-1"))

    assert (second.id, second.created) == (first.id, False)
    assert await queue.count() == 1


async def test_a_job_knows_its_deduplication_id_whoever_has_added_it(queue: Queue) -> None:
    first = await queue.add("index", deduplication=Dedup.simple("page-1"))
    second = await queue.add("index", deduplication=Dedup.simple("page-1"))

    assert first.deduplication_id == second.deduplication_id == "page-1"
    assert (await queue.add("index")).deduplication_id is None


async def test_simple_deduplication_ends_with_the_job(queue: Queue, new_worker: WorkerFactory) -> None:
    await queue.add("index", deduplication=Dedup.simple("page-1"))
    worker = new_worker()
    running = await worker.get_next_job()
    assert running is not None
    await worker.complete(running)

    assert (await queue.add("index", deduplication=Dedup.simple("page-1"))).created


async def test_debouncing_keeps_the_last_one(
    new_queue: QueueFactory, new_worker: WorkerFactory, store: Store, clock: Clock
) -> None:
    queue, worker = new_queue(store=store), new_worker(store=store)
    for letter in "abc":
        await queue.add("save", letter, deduplication=Dedup.debounce("draft", 5), delay=5)
        clock.forward(1)
    clock.forward(5)

    saved = await worker.get_next_job(block=False)

    assert saved is not None
    assert saved.data == "c"
    assert await worker.get_next_job(block=False) is None
