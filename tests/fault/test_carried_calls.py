"""Calls that a slot carries itself, since it ended the last job: what befalls the slot befalls no job."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.factories import WorkerFactory, WorkerStarter
from tests.support.proxy import Proxy
from toril import Job, Queue, RateLimit
from toril.core.worker.slots import LAST_WORDS
from toril.store.contract import Store
from toril.store.values import Settled


async def test_a_settlement_is_told_once_though_its_slot_is_cancelled_afterwards(
    queue: Queue, new_worker: WorkerFactory, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, passing_on = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> None:
        await finish.wait()

    async def never_answered(*_: object, **__: object) -> None:
        passing_on.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(store.limits, "wake", never_answered)
    worker = new_worker(handler, store=store)
    told: list[str] = []

    def tell(job: Job, _: object) -> None:
        told.append(job.id)

    worker.on("completed", tell)
    await worker.start()
    job = await queue.add("work")
    await eventually(job.is_active)
    closing = asyncio.create_task(worker.close())
    await asyncio.sleep(0)
    finish.set()
    await asyncio.wait_for(passing_on.wait(), 5)
    monkeypatch.undo()
    await asyncio.wait_for(worker.close(force=True), 5)
    await closing

    assert told == [job.id]


async def test_a_fault_while_an_answer_is_read_is_told_and_costs_no_slot(
    queue: Queue, start_worker: WorkerStarter, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    garbled = list[bool]()

    async def handler(job: Job) -> int:
        await asyncio.sleep(0)
        return job.data

    errors: list[BaseException] = []
    worker = await start_worker(handler, store=store)
    worker.on("error", errors.append)
    monkeypatch.setattr(store.jobs, "settle", _garbling(store.jobs.settle, garbled))
    jobs = [await queue.add("work", n) for n in range(3)]

    assert [await job.result(timeout=5) for job in jobs] == [0, 1, 2]
    await eventually(lambda: len(errors) == 1)
    assert isinstance(errors[0], ValueError)
    await asyncio.wait_for(worker.close(), 5)


async def test_a_rate_limit_whose_answer_can_not_be_read_keeps_no_job_for_ever(
    store: Store, queue: Queue, start_worker: WorkerStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    garbled = list[bool]()

    async def handler(job: Job) -> str:
        if not garbled:
            raise RateLimit(0.01)
        return "done"

    await start_worker(handler, store=store)
    monkeypatch.setattr(store.jobs, "settle", _garbling(store.jobs.settle, garbled))
    await queue.add("limited")
    await eventually(lambda: garbled)
    await queue.remove_rate_limit_key()

    assert await (await queue.add("work")).result(timeout=5) == "done"


async def test_a_server_that_is_silent_keeps_no_slot_of_a_worker_that_closes(
    queue: Queue, new_worker: WorkerFactory, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def handler(job: Job) -> str:
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "saved"

    monkeypatch.setattr("toril.core.worker.closing.SILENCE", 0.5)
    errors: list[BaseException] = []
    worker = new_worker(handler, url=proxy.url)
    worker.on("error", errors.append)
    await worker.start()
    await queue.add("work")
    await asyncio.wait_for(begun.wait(), 10)
    proxy.freeze()
    loop = asyncio.get_running_loop()
    frozen = loop.time()
    await worker.close(force=True)

    assert loop.time() - frozen < LAST_WORDS
    assert [str(error) for error in errors] == [
        "the server is silent; 1 jobs could not be settled and will be found as stalled"
    ]


def _garbling(settle: Any, garbled: list[bool]) -> Any:
    """Settles, and spoils the first answer to a settlement."""

    async def garble_once(ref: Any, settlements: Any, *terms: Any, **more: Any) -> Settled:
        settled = await settle(ref, settlements, *terms, **more)
        if settlements and not garbled:
            garbled.append(True)
            return Settled([], settled.taken)
        return settled

    return garble_once
