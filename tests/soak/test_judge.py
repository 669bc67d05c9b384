"""The judge finds whatever is wrong: each test does one thing wrong to jobs that were done well."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.soak.evidence import gather
from tests.soak.excuses import Excuses, Span
from tests.soak.judge import judge
from tests.soak.ledger import Ledger, Promise
from tests.soak.work import LEDGER, LOOP, perform, task_of
from tests.support.database import Database
from tests.support.factories import QueueFactory, WorkerStarter
from toril import Job, Queue

# Of a process that was killed, and that nobody has.
VICTIM = 2**30
GRACE = 1.0


class World:
    """A queue whose jobs were done, and the ledger of it.

    Attributes:
        task: A job that was done.
    """

    def __init__(self, queue: Queue, database: Database, path: Path) -> None:
        self.queue = queue
        self.database = database
        self.ledger = Ledger(path)
        self.task = ""
        self.now = time.time()
        self.outages: list[Span] = []
        self._path = path

    async def add(self, n: int, **data: Any) -> Job:
        """Add a job as the producer does."""
        self.ledger.promise([Promise(n)])
        job = await self.queue.add("job", {"n": n, "seconds": 0, **data}, attempts=3)
        self.ledger.acknowledge({n: task_of(LOOP, job.id)})
        return job

    def write(self, statement: str, *values: object) -> None:
        """Tamper with the ledger."""
        with closing(sqlite3.connect(self._path)) as file, file:
            file.execute(statement, values)

    def judged(self) -> list[str]:
        """What is wrong, when one process was killed, and one stop begins just now."""
        evidence = gather(self.ledger, self.database, self.queue.ref.prefix, [LOOP])
        stops = [(self.now, self.now + 60)]
        return judge(evidence, Excuses(GRACE, killed={VICTIM}, outages=self.outages, stops=stops))


@pytest.fixture
async def world(
    new_queue: QueueFactory,
    start_worker: WorkerStarter,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[World]:
    path = tmp_path / "ledger.sqlite"
    monkeypatch.setenv(LEDGER, str(path))
    world = World(new_queue(LOOP), database, path)
    worker = await start_worker(perform, LOOP)
    jobs = [await world.add(n) for n in (1, 2, 3)]
    await asyncio.gather(*(job.result(timeout=30) for job in jobs))
    world.task = task_of(LOOP, jobs[0].id)
    assert world.judged() == []
    yield world
    await worker.close()


def id_of(world: World) -> str:
    return world.task.removeprefix(task_of(LOOP, ""))


async def lose(world: World) -> str:
    job = await world.queue.get_job(id_of(world))
    assert job is not None
    await job.remove()
    return f"{world.task}: was acknowledged, and is not completed but gone"


async def leave_undone(world: World) -> str:
    job = await world.queue.add("job", {"n": 9}, delay=3600)
    return f"{task_of(LOOP, job.id)}: is left in delayed"


async def leave_a_lock(world: World) -> str:
    lock = f"{world.queue.ref.base}{id_of(world)}:lock"
    world.database.command("SET", lock, "t")
    return f"{lock}: is left"


async def add_twice(world: World) -> str:
    again = await world.queue.add("job", {"n": 1, "seconds": 0})
    await again.result(timeout=30)
    return "number 1: one call of add made 2 jobs"


async def double_the_effect(world: World) -> str:
    world.write("INSERT INTO effects SELECT task, 'another', at FROM effects WHERE task = ?", world.task)
    return f"{world.task}: is completed, and had 2 effects"


async def take_the_effect_away(world: World) -> str:
    world.write("DELETE FROM effects WHERE task = ?", world.task)
    return f"{world.task}: is completed, and had 0 effects"


async def give_another_result(world: World) -> str:
    world.write("UPDATE effects SET mark = 'another' WHERE task = ?", world.task)
    return f"{world.task}: its result is not that of its effect"


async def tell_twice(world: World) -> str:
    stream = f"{world.queue.ref.base}events"
    world.database.command("XADD", stream, "*", "event", "completed", "jobId", id_of(world))
    return f"{world.task}: was told 2 times to be completed"


async def count_an_attempt_too_many(world: World) -> str:
    job = await world.add(9, failures=1)
    await job.result(timeout=30)
    return f"{task_of(LOOP, job.id)}: counts 2 attempts, +1 of what it should"


async def run_before_due(world: World) -> str:
    world.write("UPDATE promises SET due = ? WHERE task = ?", time.time() + 60, world.task)
    return f"{world.task}: ran before it was due"


async def run_before_the_child(world: World) -> str:
    world.write("UPDATE promises SET parent = 1 WHERE n = 2")
    world.write("UPDATE runs SET began = 1 WHERE task = ?", world.task)
    [child] = [promise.task for promise in world.ledger.promises() if promise.n == 2]
    return f"{world.task}: ran before its child {child} was done"


async def run_twice(world: World) -> str:
    with world.ledger.run(world.task):
        assert world.ledger.take_effect(world.task)
    return f"{world.task}: ran to its end 2 times"


async def cut_within_the_grace(world: World) -> str:
    with suppress(asyncio.CancelledError), world.ledger.run(world.task):
        raise asyncio.CancelledError
    return f"{world.task}: a run was cut, but not by a stop whose grace was over"


async def vanish(world: World) -> str:
    run = "INSERT INTO runs VALUES ('x', ?, ?, ?, 0, NULL, NULL)"
    world.write(run, world.task, os.getpid(), os.getppid())
    return f"{world.task}: a run came to no end, and nobody killed its process"


async def fail_by_itself(world: World) -> str:
    with suppress(LookupError), world.ledger.run(world.task):
        raise LookupError("no such row")
    return f"{world.task}: a run ended by LookupError: no such row"


@pytest.mark.parametrize(
    "tamper",
    [
        *(lose, leave_undone, leave_a_lock, add_twice, double_the_effect, take_the_effect_away),
        *(give_another_result, tell_twice, count_an_attempt_too_many, run_before_due, run_before_the_child),
        *(run_twice, cut_within_the_grace, vanish, fail_by_itself),
    ],
    ids=lambda tamper: tamper.__name__,
)
async def test_what_is_wrong_is_found(world: World, tamper: Callable[[World], Awaitable[str]]) -> None:
    expected = await tamper(world)

    assert any(line.startswith(expected) for line in world.judged()), world.judged()


async def test_what_kills_have_caused_is_excused(world: World) -> None:
    run = "INSERT INTO runs VALUES (?, ?, ?, ?, 0, ?, ?)"
    # One that died in the middle, and one that was done, but whose worker could not say so any more.
    world.write(run, "x", world.task, os.getpid(), VICTIM, None, None)
    world.write(run, "y", world.task, VICTIM, os.getpid(), 1, "done")

    assert world.judged() == []


async def test_a_repeated_run_is_excused_by_an_outage_that_it_met(world: World) -> None:
    with world.ledger.run(world.task):
        assert world.ledger.take_effect(world.task)
    [first, second] = [run.began for run in world.ledger.runs() if run.task == world.task]

    world.outages = [(first - 20, first - 10), (second, second + 10)]
    assert len(world.judged()) == 1
    # The job was handed out before it, and the answer came after it: its lock had run out meanwhile.
    world.outages = [(first - 10, first - 0.1)]
    assert world.judged() == []


async def test_what_a_stop_has_cut_is_excused_when_its_grace_was_over(world: World) -> None:
    run = "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, 'cut')"
    world.write(run, "x", world.task, 1, 1, world.now, world.now + GRACE)
    assert world.judged() == []

    world.write(run, "y", world.task, 1, 1, world.now, world.now + GRACE / 2)
    assert len(world.judged()) == 1


async def test_a_second_effect_of_one_task_is_its_first(world: World) -> None:
    [mark] = [effect.mark for effect in world.ledger.effects() if effect.task == world.task]

    assert world.ledger.take_effect(world.task) == mark
    assert len(world.ledger.effects()) == 3
