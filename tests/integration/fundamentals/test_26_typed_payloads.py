"""A handler says of which type its payload is, and gets one, or is not called at all."""

from __future__ import annotations

import contextvars
import enum
import functools
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypedDict

import msgspec
import pydantic
import pytest

from tests.support.factories import WorkerStarter
from toril import BlockingJob, InvalidPayload, Job, JobFailed, Queue

decoded_by = contextvars.ContextVar("decoded_by", default="nobody")


class Color(enum.Enum):
    RED = "red"


@dataclass
class Line:
    name: str
    price: int


@dataclass
class Order:
    id: uuid.UUID
    at: datetime
    color: Color = Color.RED
    lines: list[Line] = field(default_factory=list[Line])


class Struct(msgspec.Struct):
    size: int


class Typed(TypedDict):
    size: int


class Point(NamedTuple):
    x: int
    y: int


class Model(pydantic.BaseModel):
    size: int
    at: datetime | None = None


@dataclass
class Binding:
    """Binds a context variable when it is made."""

    name: str

    def __post_init__(self) -> None:
        decoded_by.set(self.name)


ORDER = Order(uuid.UUID(int=7), datetime(2030, 1, 1, tzinfo=UTC), lines=[Line("a", 1), Line("b", 2)])


async def take_order(order: Order) -> str:
    assert order == ORDER
    return f"{order.color.name} {sum(line.price for line in order.lines)}"


async def with_job(job: Job, order: Order) -> list[object]:
    return [job.name, order.id]


def in_thread(order: Order, job: BlockingJob) -> list[object]:
    job.update_progress(100)
    return [job.name, order.at, threading.current_thread().name.startswith("toril-handler")]


async def test_all_that_was_added_arrives_as_it_was(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker({"order": take_order, "with job": with_job, "in thread": in_thread})
    jobs = [await queue.add(name, ORDER) for name in ("order", "with job", "in thread")]

    assert [await job.result(timeout=5) for job in jobs] == [
        "RED 3",
        ["with job", str(ORDER.id)],
        ["in thread", "2030-01-01T00:00:00Z", True],
    ]


async def take_struct(struct: Struct) -> int:
    return struct.size


async def take_typed(typed: Typed) -> int:
    return typed["size"]


async def take_point(point: Point) -> int:
    return point.x


async def take_model(model: Model) -> int:
    return model.size


async def take_dict(data: dict[str, int]) -> int:
    return data["size"]


def take_text(text: str) -> int:
    return len(text)


@pytest.mark.parametrize(
    ("handler", "data"),
    [
        *((handler, {"size": 5}) for handler in (take_struct, take_typed, take_model, take_dict)),
        (take_struct, Struct(5)),
        (take_model, {"size": "5", "at": datetime.now(UTC)}),
        (take_point, Point(5, 1)),
        (take_text, "fünf!"),
    ],
)
async def test_payloads_of_many_kinds(
    queue: Queue, start_worker: WorkerStarter, handler: object, data: object
) -> None:
    await start_worker(handler)

    assert await (await queue.add("work", data)).result(timeout=5) == 5


class Shop:
    """A handler in several shapes."""

    async def method(self, struct: Struct) -> int:
        return struct.size

    async def __call__(self, struct: Struct, job: Job) -> int:
        return struct.size


async def grown(by: int, struct: Struct) -> int:
    return struct.size + by


@functools.wraps(grown)
async def decorated(*arguments: Any) -> int:
    return await grown(*arguments)


@pytest.mark.parametrize(
    "handler",
    [Shop().method, Shop(), functools.partial(grown, 0), functools.partial(decorated, 0)],
    ids=["method", "object", "partial", "decorated"],
)
async def test_handlers_in_other_shapes(queue: Queue, start_worker: WorkerStarter, handler: object) -> None:
    await start_worker(handler)

    assert await (await queue.add("work", {"size": 5})).result(timeout=5) == 5


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that knows nothing of ``async``."""

    @functools.wraps(function)
    def inner(*arguments: Any) -> Any:
        return function(*arguments)

    return inner


@traced
async def reports(job: Job) -> str:
    await job.update_progress(5)
    return type(job).__name__


@traced
async def reports_size(payload: Struct, job: Job) -> str:
    await job.update_progress(payload.size)
    return type(job).__name__


class Tracing:
    @traced
    async def __call__(self, job: Job) -> str:
        return await reports(job)


@functools.wraps(reports)
def cached(job: Job) -> str:
    """Does not call what it wraps."""
    return f"{type(job).__name__} of the cache"


@pytest.mark.parametrize(
    ("handler", "result"),
    [
        (reports, "Job"),
        (reports_size, "Job"),
        (functools.partial(reports), "Job"),
        (Tracing(), "Job"),
        (cached, "Job of the cache"),
    ],
    ids=["job", "payload", "partial", "object", "without awaiting"],
)
async def test_a_plain_decorator_leaves_async_handlers_on_the_loop(
    queue: Queue, start_worker: WorkerStarter, handler: object, result: str
) -> None:
    await start_worker(handler)

    assert await (await queue.add("work", {"size": 5})).result(timeout=5) == result


@pytest.mark.parametrize(
    ("handler", "data", "reason"),
    [
        (
            take_order,
            {"id": str(ORDER.id), "at": "2030-01-01", "lines": []},
            "data does not fit Order: Invalid RFC3339 encoded datetime - at `$.at`",
        ),
        (
            in_thread,
            {"id": str(ORDER.id), "at": ORDER.at, "lines": [{"name": "a", "price": "1"}]},
            "data does not fit Order: Expected `int`, got `str` - at `$.lines[0].price`",
        ),
        (take_model, None, "data does not fit Model: Input should be an object"),
        (
            take_model,
            {"size": "big"},
            "data does not fit Model: Input should be a valid integer, unable to parse string as an integer"
            " - at `$.size`",
        ),
        (take_text, 5, "data does not fit str: Expected `str`, got `int`"),
    ],
)
async def test_data_that_do_not_fit_fail_their_job_once(
    queue: Queue, start_worker: WorkerStarter, handler: object, data: object, reason: str
) -> None:
    worker = await start_worker(handler)
    errors: list[BaseException] = []

    def note(job: Job, error: BaseException, previous: str) -> None:
        errors.append(error)

    worker.on("failed", note)
    job = await queue.add("work", data, attempts=5)

    with pytest.raises(JobFailed) as caught:
        await job.result(timeout=5)

    assert caught.value.reason == reason
    await job.refresh()
    assert (job.attempts_made, job.attempts_started, await job.state()) == (1, 1, "failed")
    assert job.stacktrace == [f"toril.errors.InvalidPayload: {reason}\n"]
    assert [type(error) for error in errors] == [InvalidPayload]
    assert errors[0].__cause__ is not None


async def test_a_job_that_was_put_right_runs(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(take_struct)
    job = await queue.add("work", {"size": "5"})
    with pytest.raises(JobFailed):
        await job.result(timeout=5)

    await job.update_data({"size": 5})
    await job.retry()

    assert await job.result(timeout=5) == 5


async def test_what_a_payload_binds_is_seen_by_its_handler_and_by_no_other(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    async def bind(job: Job, binding: Binding) -> str:
        return decoded_by.get()

    async def look(job: Job) -> str:
        return decoded_by.get()

    await start_worker({"bind": bind, "look": look}, concurrency=1)
    jobs = [await queue.add("bind", {"name": "anna"}), await queue.add("look")]

    assert [await job.result(timeout=5) for job in jobs] == ["anna", "nobody"]
