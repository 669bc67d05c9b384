"""One worker for several queues: how it shares its slots between them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerFactory, WorkerStarter
from toril import Job, Queue, Worker

WEIGHTS = {"premium": 5, "standard": 3, "free": 2}
PLENTY = 3000


class Desk:
    """A handler that counts what it runs, by queue, and how many jobs run at each moment."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.done: Counter[str] = Counter()
        self.running: Counter[str] = Counter()
        self.order: list[str] = []

    async def __call__(self, job: Job) -> None:
        self.running[job.queue_name] += 1
        self.order.append(job.queue_name)
        await asyncio.sleep(self.seconds)
        self.running[job.queue_name] -= 1
        self.done[job.queue_name] += 1


class Hall:
    """A handler that lets go of jobs one by one, as the test says."""

    def __init__(self) -> None:
        self.inside: dict[str, list[asyncio.Event]] = {}

    async def __call__(self, job: Job) -> None:
        gate = asyncio.Event()
        self.inside.setdefault(job.queue_name, []).append(gate)
        await gate.wait()
        self.inside[job.queue_name].remove(gate)

    def counts(self) -> dict[str, int]:
        return {name: len(gates) for name, gates in self.inside.items() if gates}

    def let_go(self, name: str, count: int = 1) -> None:
        for gate in self.inside[name][:count]:
            gate.set()

    async def holds(self, **counts: int) -> None:
        def as_told() -> bool:
            assert self.counts() == counts
            return True

        await eventually(as_told)


async def fill(new_queue: QueueFactory, *names: str, count: int = PLENTY) -> list[Queue]:
    queues = [new_queue(name) for name in names]
    for queue in queues:
        await queue.add_many([("work", None)] * count)
    return queues


async def test_shares_go_by_weight_while_all_have_work(
    new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    desk = Desk(0.005)
    await fill(new_queue, *WEIGHTS)
    await start_worker(desk, [*WEIGHTS.items()], concurrency=20)
    await eventually(lambda: desk.done.total() >= 1000, timeout=30)

    total = desk.done.total()
    for name, weight in WEIGHTS.items():
        assert abs(desk.done[name] / total - weight / 10) < 0.05


@pytest.mark.parametrize("slots", [1, 2])
async def test_fewer_slots_than_queues_go_around(
    new_queue: QueueFactory, start_worker: WorkerStarter, slots: int
) -> None:
    desk = Desk()
    await fill(new_queue, *WEIGHTS, count=300)
    await start_worker(desk, WEIGHTS, concurrency=slots)
    await eventually(lambda: desk.done.total() >= 200, timeout=30)

    starts = Counter(desk.order[:200])
    for name, weight in WEIGHTS.items():
        assert abs(starts[name] / 200 - weight / 10) < 0.1


async def test_every_queue_has_exactly_its_slots(
    new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    hall = Hall()
    await fill(new_queue, *WEIGHTS, count=100)
    await start_worker(hall, WEIGHTS, concurrency=50)

    await hall.holds(premium=25, standard=15, free=10)
    hall.let_go("free", 3)
    await hall.holds(premium=25, standard=15, free=10)


def listening(database: Database) -> int:
    """How many connections wait for word of a job."""
    clients = database.command("CLIENT LIST")
    return sum(client["cmd"] == "bzpopmin" and "b" in client["flags"] for client in clients)


async def test_what_one_does_not_use_the_others_do_and_give_it_back(
    new_queue: QueueFactory, start_worker: WorkerStarter, database: Database
) -> None:
    hall = Hall()
    a, b = await fill(new_queue, "a", "b", count=0)
    await a.add_many([("work", None)] * 50)
    await start_worker(hall, ["a", "b"], concurrency=10)
    await hall.holds(a=10)

    await eventually(lambda: listening(database))
    await b.add_many([("work", None)] * 50)
    # Before the worker has word of these, a slot that gets free goes to the only queue it knows to have work.
    await eventually(lambda: not listening(database))
    for n in range(1, 6):
        hall.let_go("a")
        await hall.holds(a=10 - n, b=n)
    hall.let_go("a")
    hall.let_go("b")
    await hall.holds(a=5, b=5)


async def test_no_slot_is_idle_while_any_queue_has_work(
    new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    """Measured: one queue has plenty, the other a job now and then; the slots are never less busy for it."""
    desk = Desk(0.1)
    _, trickle = await fill(new_queue, "plenty", "trickle", count=0)
    (plenty,) = await fill(new_queue, "plenty", count=PLENTY)
    await start_worker(desk, {"plenty": 1, "trickle": 5}, concurrency=10)
    await eventually(lambda: desk.done.total() > 20)
    looks: list[int] = []
    for n in range(400):
        if n % 4 == 0:
            await trickle.add("work")
        await asyncio.sleep(0.004)
        looks.append(desk.running.total())

    assert desk.done["trickle"] > 20
    assert sum(looks) / len(looks) > 8
    assert await plenty.get_waiting_count() > 0


async def test_in_strict_order_later_queues_run_when_the_earlier_are_empty(
    new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    hall = Hall()
    first, _ = await fill(new_queue, "first", "second", count=12)
    await start_worker(hall, ["first", "second"], concurrency=10, policy="strict")
    await hall.holds(first=10)
    hall.let_go("first", 10)
    await hall.holds(first=2, second=8)

    await first.add_many([("work", None)] * 3)
    for n in range(1, 4):
        hall.let_go("second")
        await hall.holds(first=2 + n, second=8 - n)


async def test_a_paused_queue_holds_no_slots(
    new_queue: QueueFactory, start_worker: WorkerStarter, database: Database
) -> None:
    hall = Hall()
    _, b = await fill(new_queue, "a", "b", count=50)
    await b.pause()
    await start_worker(hall, ["a", "b"], concurrency=10)
    await hall.holds(a=10)
    await eventually(lambda: listening(database) == 1)

    await b.resume()
    await eventually(lambda: listening(database) == 0)
    for n in range(1, 6):
        hall.let_go("a")
        await hall.holds(a=10 - n, b=n)


async def test_a_rate_limited_queue_holds_no_slots(
    new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    hall = Hall()
    _, b = await fill(new_queue, "a", "b", count=50)
    await b.set_global_rate_limit(2, 60)
    await start_worker(hall, ["a", "b"], concurrency=10)

    await hall.holds(a=8, b=2)
    hall.let_go("b", 2)
    await hall.holds(a=10)


async def test_a_queue_at_its_global_concurrency_holds_no_more(
    new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    hall = Hall()
    _, b = await fill(new_queue, "a", "b", count=50)
    await b.set_global_concurrency(1)
    await start_worker(hall, ["a", "b"], concurrency=4)

    await hall.holds(a=3, b=1)
    for _ in range(5):
        hall.let_go("b")
        await hall.holds(a=3, b=1)


async def test_a_word_is_passed_on_by_a_worker_without_a_free_slot(
    new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    """Its listener may hear of a job first; another worker must not wait until it looks by itself."""
    busy, idle = Hall(), Desk()
    a, b = await fill(new_queue, "a", "b", count=0)
    await start_worker(busy, ["a", "b"], concurrency=1, drain_delay=8)
    await a.add("work")
    await busy.holds(a=1)
    await start_worker(idle, "b", drain_delay=8)
    began = time.monotonic()
    for n in range(5):
        await b.add("work")
        await eventually(lambda done=n + 1: idle.done["b"] == done, timeout=6)

    assert time.monotonic() - began < 6


async def test_more_slots_are_shared_at_once(new_queue: QueueFactory, start_worker: WorkerStarter) -> None:
    hall = Hall()
    await fill(new_queue, "a", "b", count=50)
    worker = await start_worker(hall, {"a": 3, "b": 1}, concurrency=4)
    await hall.holds(a=3, b=1)

    worker.concurrency = 12
    await hall.holds(a=9, b=3)
    worker.concurrency = 4
    hall.let_go("a", 9)
    await hall.holds(a=1, b=3)
    assert worker.concurrency == 4


async def test_closing_gives_back_the_jobs_of_every_queue(
    new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    hall = Hall()
    queues = await fill(new_queue, "a", "b", count=20)
    worker = await start_worker(hall, ["a", "b"], concurrency=10)
    await hall.holds(a=5, b=5)
    await worker.close(timeout=0.01)

    for queue in queues:
        assert (await queue.get_active_count(), await queue.get_waiting_count()) == (0, 20)


async def test_a_pause_is_for_all_queues(new_queue: QueueFactory, start_worker: WorkerStarter) -> None:
    desk = Desk()
    a, b = await fill(new_queue, "a", "b", count=5)
    worker = await start_worker(desk, ["a", "b"])
    await eventually(lambda: desk.done == {"a": 5, "b": 5})
    await worker.pause()
    await a.add("work")
    await b.add("work")
    assert (await a.get_waiting_count(), await b.get_waiting_count()) == (1, 1)

    await worker.resume()
    await eventually(lambda: desk.done == {"a": 6, "b": 6})


async def test_each_queue_may_have_handlers_of_its_own(
    new_queue: QueueFactory, new_worker: WorkerFactory
) -> None:
    async def of_mail(job: Job) -> str:
        return "mail"

    def of_images(job: Job) -> str:
        return "image"

    handlers: Mapping[str, Any] = {"mail": of_mail, "images": {"crop": of_images, "*": of_mail}}
    mail, images = new_queue("mail"), new_queue("images")
    jobs = [await mail.add("crop"), await images.add("crop"), await images.add("other")]
    worker = new_worker(None, ["mail", "images"], by_queue=handlers, concurrency=3)
    await worker.start()

    assert [await job.result(timeout=10) for job in jobs] == ["mail", "image", "mail"]


async def test_events_tell_of_all_queues(new_queue: QueueFactory, new_worker: WorkerFactory) -> None:
    told: Counter[tuple[str, str]] = Counter()

    async def work(job: Job) -> None:
        await job.update_progress(1)
        if job.data:
            raise ValueError(job.data)

    def note(event: str, job: Job, *_: object) -> None:
        told[event, job.queue_name] += 1

    worker = new_worker(work, ["a", "b"])
    for event in ("active", "progress", "completed", "failed"):
        worker.on(event, partial(note, event))
    for name in "ab":
        await new_queue(name).add_many([("work", None), ("work", "bad")])
    await worker.start()

    expected = {(event, name): 2 for event in ("active", "progress") for name in "ab"}
    expected |= {(event, name): 1 for event in ("completed", "failed") for name in "ab"}
    await eventually(lambda: told == expected)


async def test_locks_of_all_queues_are_kept_by_one_thread(
    new_queue: QueueFactory, start_worker: WorkerStarter, database: Database, prefix: str
) -> None:
    hall = Hall()
    await fill(new_queue, "a", "b", count=1)
    options: dict[str, Any] = {"lock_duration": 0.3, "stalled_interval": 0.1}
    await start_worker(hall, ["a", "b"], concurrency=2, **options)
    await hall.holds(a=1, b=1)
    stalled: list[str] = []
    other = await start_worker(Desk(), ["a", "b"], **options)
    other.on("stalled", stalled.append)
    until = time.monotonic() + 1
    while time.monotonic() < until:
        left = [database.command("PTTL", f"{prefix}:{name}:1:lock") for name in "ab"]
        assert min(left) > 0
        await asyncio.sleep(0.02)

    assert stalled == []


async def test_jobs_of_a_dead_worker_are_found_in_every_queue(
    new_queue: QueueFactory, start_worker: WorkerStarter, new_worker: WorkerFactory
) -> None:
    queues = await fill(new_queue, "a", "b", count=1)
    for queue in queues:
        dead = new_worker(None, queue.name, lock_duration=0.05)
        assert await dead.get_next_job(block=False) is not None
    desk = Desk()
    await start_worker(desk, ["a", "b"], stalled_interval=0.05, concurrency=2)

    await eventually(lambda: desk.done == {"a": 1, "b": 1})


async def test_by_hand_a_worker_has_one_queue(new_worker: WorkerFactory) -> None:
    worker: Worker = new_worker(Desk(), ["a", "b"])

    with pytest.raises(TypeError, match="one queue; this one works for a, b"):
        await worker.get_next_job()
    assert worker.queues == {"a": 1, "b": 1}
    assert worker.queue_name == "a"


async def test_many_queues_at_one_slot(new_queue: QueueFactory, start_worker: WorkerStarter) -> None:
    desk = Desk()
    names = [f"q{n}" for n in range(30)]
    await fill(new_queue, *names, count=4)
    await start_worker(desk, names, concurrency=1)

    await eventually(lambda: desk.done == dict.fromkeys(names, 4), timeout=30)
    assert set(desk.order[:30]) == set(names)
