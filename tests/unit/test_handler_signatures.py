"""What a handler's signature says it wants."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

import pytest

from toril import BlockingJob, OptionError
from toril.core.worker.signature import Wants, wants_of
from toril.model.job import JobRecord

if TYPE_CHECKING:
    from decimal import Decimal as Amount

    from toril import Job

P = ParamSpec("P")
R = TypeVar("R")

JOB = Wants()


@dataclass
class Order:
    id: int


class OddJob(JobRecord):
    """A job of another kind."""


def unseen(job: Job) -> None: ...
def blocking(job: BlockingJob) -> None: ...
def record(job: JobRecord) -> None: ...
def odd(job: OddJob) -> None: ...
def optional(job: BlockingJob | None) -> None: ...
def anything(job: Any) -> None: ...
def some_object(job: object) -> None: ...
def noted(job: Annotated[JobRecord, "a note"]) -> None: ...
def star(*jobs: BlockingJob, **more: int) -> None: ...
def more_with_defaults(job: BlockingJob, size: Amount | None = None, *, fast: bool = True) -> None: ...
def only_a_default(job: BlockingJob | None = None) -> None: ...
def returns_unseen(job: BlockingJob) -> Amount | None: ...
async def on_the_loop(job: Job) -> None: ...


# `max` is a built-in function that does not tell what it takes.
SILENT = (functools.partial(print, "job"), print, max)


@pytest.mark.parametrize(
    "handler",
    [
        *(unseen, blocking, record, odd, optional, anything, some_object, noted, star),
        *(more_with_defaults, only_a_default, returns_unseen, on_the_loop, *SILENT),
    ],
)
def test_the_job_alone(handler: object) -> None:
    assert wants_of(handler) == JOB


def payload(order: Order) -> None: ...
def inner(order: list[Order]) -> None: ...
def builtin(order: dict[str, int]) -> None: ...
def text(order: str) -> None: ...
def union(order: Order | None) -> None: ...
def job_first(job: BlockingJob, order: Order) -> None: ...
def job_last(order: Order, job: BlockingJob) -> None: ...
def unseen_job_last(order: Order, job: Job) -> None: ...
def payload_and_defaults(order: Order, size: Amount | None = None) -> None: ...
def two(order: Order, other: Order) -> None: ...
def two_jobs(one: BlockingJob, other: JobRecord) -> None: ...


@pytest.mark.parametrize(
    ("handler", "wants"),
    [
        (payload, Wants(("payload",), Order)),
        (inner, Wants(("payload",), list[Order])),
        (builtin, Wants(("payload",), dict[str, int])),
        (text, Wants(("payload",), str)),
        (union, Wants(("payload",), Order | None)),
        (job_first, Wants(("job", "payload"), Order)),
        (job_last, Wants(("payload", "job"), Order)),
        (unseen_job_last, Wants(("payload", "job"), Order)),
        (payload_and_defaults, Wants(("payload",), Order)),
    ],
)
def test_a_payload(handler: object, wants: Wants) -> None:
    assert wants_of(handler) == wants


def bare(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A copy of a function that says nothing of one of its parameters."""
    assert isinstance(function, FunctionType)
    copied = FunctionType(function.__code__, function.__globals__)
    copied.__annotations__ = {key: hint for key, hint in function.__annotations__.items() if key != name}
    return copied


@pytest.mark.parametrize(
    ("handler", "wants"),
    [
        (bare(payload, "order"), JOB),
        (bare(job_first, "job"), Wants(("job", "payload"), Order)),
        (bare(two, "other"), Wants(("payload", "job"), Order)),
    ],
)
def test_a_parameter_without_annotation_is_the_job(handler: object, wants: Wants) -> None:
    assert wants_of(handler) == wants


class Painter:
    def method(self, order: Order) -> None: ...

    @staticmethod
    def static(order: Order) -> None: ...

    @classmethod
    def of_class(cls, order: Order) -> None: ...

    def __call__(self, job: BlockingJob, order: Order) -> None: ...


class Made:
    def __init__(self, order: Order) -> None: ...


def decorated(function: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(function)
    def call(*arguments: P.args, **named: P.kwargs) -> R:
        return function(*arguments, **named)

    return call


def with_color(color: str, order: Order) -> None: ...
def with_size(order: Order, *, size: int) -> None: ...


@pytest.mark.parametrize(
    "handler",
    [
        *(Painter().method, Painter.static, Painter.of_class, Made),
        *(functools.partial(with_color, "red"), functools.partial(with_size, size=1)),
        *(decorated(payload), decorated(decorated(Painter().method)), functools.partial(decorated(payload))),
    ],
)
def test_what_is_around_a_function_is_seen_through(handler: object) -> None:
    assert wants_of(handler) == Wants(("payload",), Order)


def test_an_object_that_can_be_called() -> None:
    assert wants_of(Painter()) == Wants(("job", "payload"), Order)


def nothing() -> None: ...
def three(job: BlockingJob, order: Order, other: Order) -> None: ...
def by_name(order: Order, *, size: int) -> None: ...
def amount(order: Amount) -> None: ...
def amount_of_the_job(job: Job, order: Amount) -> None: ...


@pytest.mark.parametrize(
    ("handler", "problem"),
    [
        (5, "can't be called"),
        (None, "can't be called"),
        (nothing, "it takes no argument"),
        (three, "'order: Order' and 'other: Order' are all payloads, of which a job has one"),
        (two, "'order: Order' and 'other: Order' are all payloads, of which a job has one"),
        (two_jobs, "'one: BlockingJob' and 'other: JobRecord' are all the job; annotate one"),
        (by_name, "'size: int' has no default and can only be given by name"),
    ],
)
def test_another_shape_is_refused_with_those_that_are_known(handler: object, problem: str) -> None:
    with pytest.raises(OptionError) as caught:
        wants_of(handler, "handler['paint']")

    assert caught.value.option == "handler['paint']"
    assert problem in str(caught.value)
    assert "a handler takes (job), (order: Order), (job: Job, order: Order)" in str(caught.value)


def stepwise(job: Job) -> Generator[int]:
    yield 1


async def stepwise_async(job: Job) -> AsyncGenerator[int]:
    yield 1


class Stepwise:
    async def __call__(self, job: Job) -> AsyncGenerator[int]:
        yield 1


@functools.wraps(stepwise)
def at_once(job: Job) -> list[int]:
    return list(stepwise(job))


@pytest.mark.parametrize("handler", [stepwise, functools.partial(stepwise_async), Stepwise()])
def test_a_generator_is_refused_since_nothing_of_it_would_run(handler: object) -> None:
    with pytest.raises(OptionError, match="it has a 'yield', so that calling it runs nothing of it"):
        wants_of(handler)


def test_a_decorator_may_make_use_of_a_generator() -> None:
    assert wants_of(at_once) == JOB


@pytest.mark.parametrize("handler", [amount, amount_of_the_job])
def test_an_annotation_that_can_not_be_resolved_is_named(handler: object) -> None:
    with pytest.raises(OptionError, match="the annotation 'Amount' of 'order' can't be resolved") as caught:
        wants_of(handler)

    assert "importable at run time" in str(caught.value)
