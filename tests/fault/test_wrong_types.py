"""Each argument of each verb gets what it is not made for: it works, or is refused and nothing is written."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

import toril
import toril.sync
from tests.support.database import Database
from toril import (
    AddOptions,
    Flow,
    FlowProducer,
    Job,
    JobSpec,
    OptionError,
    Queue,
    QueueEvents,
    TorilError,
    Worker,
)
from toril.core.worker.settings import WorkerOptions
from toril.model.schedule import ScheduleOptions
from toril.store.values import CHILD_KINDS

# Some of them mean something somewhere: then the call has to work.
WRONG: list[Any] = [
    *(None, True, 5, -1, 2**70, 1.5, 8e12, math.nan, math.inf, "", "a", "\ud800", b"a", print),
    *([], [5], [[]], ["\ud800"], [None], (), ("a", 1), {}, {"a": 1}, {5: 5}, {"a": "\ud800"}, {"a": {}}),
    object(),
]
# Blocking verbs hand on what they are given.
FEW_WRONG: list[Any] = [None, 5, "\ud800", [], {"a": 1}]

# What a verb needs besides the argument that is wrong.
FITTING: dict[str, Any] = {
    "name": "work",
    "queue": "tasks",
    "id": "1",
    "parent_id": "1",
    "state": "failed",
    "states": "waiting",
    "kind": "processed",
    "priorities": [1],
    "priority": 1,
    "row": "row",
    "progress": 5,
    "data": {},
    "delay": 60,
    "duration": 60,
    "max_jobs": 10,
    "concurrency": 10,
    "max_length": 100,
    "limit": 10,
    "jobs": [("work", None)],
    "token": "t",
    "ids": ["1"],
    "tokens": ["t"],
    "error": ValueError("no"),
    "flow": Flow("root", queue="tasks"),
    "flows": [Flow("root", queue="tasks")],
    "node": {},
    "event": "completed",
    "listener": print,
    "options": {},
}
OPTIONS: dict[str, Any] = {
    "schedule": ScheduleOptions.__annotations__,
    "pages": CHILD_KINDS,
    "more": ["field"],
}
# A store is made by a program, and not given as a value.
LEFT_OUT = ("self", "store")
# What toril itself calls.
INNER = ("of", "take_fields", "report")

Call = tuple[list[Any], dict[str, Any]]


def verbs_of(cls: type) -> list[str]:
    """The public functions of a class that take arguments."""
    members = inspect.getmembers(cls, inspect.isroutine)
    verbs = [name for name, each in members if not name.startswith("_") and parameters_of(each)]
    return [name for name in verbs if name not in INNER]


def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    found = inspect.signature(function).parameters
    return {name: one for name, one in found.items() if name not in LEFT_OUT}


def wrong_calls(function: Callable[..., Any], values: list[Any], base: dict[str, Any]) -> Iterator[Call]:
    """Positional and named arguments, of which one is wrong each time."""
    options = WorkerOptions if function is Worker else AddOptions
    known = {"options": options.__annotations__, **OPTIONS}
    for name, one in parameters_of(function).items():
        for value in values:
            if one.kind is one.VAR_KEYWORD:
                for option in known[name]:
                    yield filled(function, {option: value}, base)
            elif one.kind is one.VAR_POSITIONAL:
                placed, named = filled(function, {}, base)
                yield [*placed, value], named
            elif value is not None or one.default is not None:
                yield filled(function, {name: value}, base)


def filled(function: Callable[..., Any], wrong: dict[str, Any], base: dict[str, Any]) -> Call:
    """The arguments of a call that is right but for those that are given."""
    placed: list[Any] = []
    named = dict(wrong)
    for name, one in parameters_of(function).items():
        if name == "schedule" and not {"cron", "pattern"} & named.keys():
            named.setdefault("every", 60)
        if one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL):
            continue
        if name not in named and (one.default is one.empty or name in base):
            named[name] = base.get(name, FITTING.get(name))
        if one.kind is one.POSITIONAL_ONLY and name in named:
            placed.append(named.pop(name))
    return placed, named


class Bench:
    """Tries verbs, and keeps a list of what went wrong."""

    def __init__(self, database: Database, base: dict[str, Any]) -> None:
        self.database = database
        self.base = base
        self.faults: list[str] = []

    async def try_all(self, function: Callable[..., Any], values: list[Any]) -> None:
        """Call a verb with each wrong value for each of its arguments."""
        for placed, named in wrong_calls(function, values, self.base):
            await self._try(function, placed, named)

    async def _try(self, function: Callable[..., Any], placed: list[Any], named: dict[str, Any]) -> None:
        what = f"{function.__qualname__}(*{placed}, **{named})"
        before = self._stored()
        (fault,) = await asyncio.gather(called(function, placed, named), return_exceptions=True)
        if isinstance(fault, TorilError):
            if self._stored() != before:
                self.faults.append(f"{what} was refused, and has written")
        elif fault is not None:
            self.faults.append(f"{what}: {fault!r}")

    def _stored(self) -> dict[str, Any]:
        return {key: each[:2] for key, each in self.database.dump(own_keys=True).items()}


async def called(function: Callable[..., Any], placed: list[Any], named: dict[str, Any]) -> None:
    """Do all that is asked for."""
    async with asyncio.timeout(5):
        answer = function(*placed, **named)
        if inspect.isasyncgen(answer):
            async for _ in answer:
                pass
        elif isinstance(answer, Iterator):
            list(cast("Iterator[object]", answer))
        elif inspect.isawaitable(answer):
            await answer
        elif isinstance(answer, Queue | FlowProducer | QueueEvents | Worker):
            async with answer:
                pass


@pytest.fixture
def bench(url: str, prefix: str, database: Database, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A database that is looked at after each call."""
    monkeypatch.setenv("TORIL_URL", url)
    return Bench(database, {"url": url, "prefix": prefix})


async def a_job(queue: Queue, worker: Worker, verb: str) -> Job:
    """A job that the verb may be used on."""
    job = await queue.add("work", job_id="one", delay=0 if verb == "result" else 60)
    if verb == "result":
        taken = await worker.get_next_job()
        assert taken is not None
        await worker.complete(taken)
    return job


@pytest.mark.parametrize("verb", verbs_of(Queue))
async def test_of_queues(queue: Queue, bench: Bench, verb: str) -> None:
    await queue.add("work", delay=60)
    await queue.upsert_job_scheduler("nightly", every=60)
    await bench.try_all(getattr(queue, verb), WRONG)

    assert bench.faults == []


@pytest.mark.parametrize("verb", verbs_of(Job))
async def test_of_jobs(queue: Queue, new_worker: Callable[..., Worker], bench: Bench, verb: str) -> None:
    job = await a_job(queue, new_worker(), verb)
    await bench.try_all(getattr(job, verb), WRONG)

    assert bench.faults == []


@pytest.mark.parametrize("verb", verbs_of(FlowProducer))
async def test_of_producers(url: str, prefix: str, bench: Bench, verb: str) -> None:
    async with FlowProducer(url=url, prefix=prefix) as producer:
        await bench.try_all(getattr(producer, verb), WRONG)

    assert bench.faults == []


@pytest.mark.parametrize("verb", verbs_of(QueueEvents))
async def test_of_events(new_events: Callable[..., QueueEvents], bench: Bench, verb: str) -> None:
    events = await new_events().ready()
    bench.base["event"] = toril.Event(events.ref, "1-1", {}) if verb == "cause_of" else "completed"
    await bench.try_all(getattr(events, verb), WRONG)

    assert bench.faults == []


async def test_of_running(new_worker: Callable[..., Worker], bench: Bench) -> None:
    async def run(*, grace: Any = None, fail_unfinished: Any = False) -> None:
        worker = new_worker(handle, drain_delay=0.01)
        closings: list[asyncio.Task[None]] = []
        worker.on("ready", lambda: closings.append(asyncio.create_task(worker.close())))
        await worker.run(grace=grace, fail_unfinished=fail_unfinished)
        await asyncio.gather(*closings)

    await bench.try_all(run, WRONG)

    assert bench.faults == []


# A worker runs until it is closed.
@pytest.mark.parametrize("verb", sorted({*verbs_of(Worker)} - {"run"}))
async def test_of_workers(queue: Queue, new_worker: Callable[..., Worker], bench: Bench, verb: str) -> None:
    worker = new_worker(handle, drain_delay=0.01)
    await queue.add("work")
    bench.base["job"] = await worker.get_next_job()
    await bench.try_all(getattr(worker, verb), WRONG)

    assert bench.faults == []


@pytest.mark.parametrize(
    "make",
    [Queue, FlowProducer, QueueEvents, Worker, Flow, JobSpec, Flow.from_bullmq, toril.from_bullmq],
    ids=lambda make: make.__qualname__,
)
async def test_of_what_makes_things(bench: Bench, make: Callable[..., Any]) -> None:
    await bench.try_all(make, WRONG)
    # Any text is a prefix.
    bench.database.empty()

    assert bench.faults == []


async def test_of_the_list_of_queues(bench: Bench) -> None:
    await bench.try_all(toril.list_queues, WRONG)
    await bench.try_all(toril.sync.list_queues, FEW_WRONG)

    assert bench.faults == []


async def handle(job: Job) -> None:
    """Nothing is to be done."""


def blocking_verbs() -> list[Any]:
    """Of all blocking classes."""
    classes = (toril.sync.Queue, toril.sync.Job, toril.sync.FlowProducer, toril.sync.QueueEvents)
    return [pytest.param(cls, verb, id=f"{cls.__name__}.{verb}") for cls in classes for verb in verbs_of(cls)]


@pytest.mark.parametrize(("cls", "verb"), blocking_verbs())
async def test_of_blocking_twins(
    queue: Queue, new_worker: Callable[..., Worker], bench: Bench, cls: type, verb: str
) -> None:
    job = await a_job(queue, new_worker(), verb)
    names = {} if cls is toril.sync.FlowProducer else {"name": queue.name}
    made: Any = (toril.sync.Queue if cls is toril.sync.Job else cls)(**names, **bench.base)
    with made:
        bench.base["event"] = toril.Event(queue.ref, "1-1", {}) if verb == "cause_of" else "completed"
        twin = made.get_job(job.id) if cls is toril.sync.Job else made
        await bench.try_all(getattr(twin, verb), FEW_WRONG)

    assert bench.faults == []


@pytest.mark.parametrize("wrong", [8e12, 2**53 / 1000])
async def test_intervals_whose_second_run_no_datetime_tells_are_refused(queue: Queue, wrong: float) -> None:
    with pytest.raises(OptionError, match="every"):
        await queue.upsert_job_scheduler("x", every=wrong)
    with pytest.raises(OptionError, match="every"):
        await queue.upsert_job_scheduler("x", every=86_400, start=datetime.max.replace(tzinfo=UTC))
    await queue.upsert_job_scheduler("x", every=timedelta(days=365 * 7000))


@pytest.mark.parametrize("wrong", [5, "daily", []])
def test_a_strategy_that_can_not_be_called_is_refused(wrong: Any) -> None:
    with pytest.raises(OptionError, match="repeat_strategy"):
        Queue("tasks", repeat_strategy=wrong)
