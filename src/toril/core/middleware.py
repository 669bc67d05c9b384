"""Functions around what is done with jobs: around adding them, and around running one."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar, cast

from toril.core.job import Job
from toril.core.spec import ABSENT
from toril.errors import JobError, OptionError
from toril.model.checks import check_items
from toril.model.options import AddOptions

G = TypeVar("G")
R = TypeVar("R")


class JobDraft:
    """A job that is about to be added; what is changed here is what is added.

    Attributes:
        name: What kind of job it is.
        data: Its payload, as it was given; ``{}`` if none was.
        options: Its own options; those that the queue has for all its jobs come to them later.
    """

    __slots__ = ("_queue", "data", "name", "options")

    def __init__(self, queue: str, name: str, data: Any, options: AddOptions) -> None:
        self._queue = queue
        self.name: str = name
        self.data: Any = data
        self.options: AddOptions = options

    @property
    def queue(self) -> str:
        """Name of the queue it goes to."""
        return self._queue

    def __repr__(self) -> str:
        return f"<JobDraft {self.name!r} in {self._queue!r}>"


def draft_of(queue: str, name: str, data: Any, options: AddOptions | None) -> JobDraft:
    """A job as it is shown to middleware; the caller's own options are not touched by what that does."""
    return JobDraft(queue, name, {} if data is ABSENT else data, {**(options or {})})


class RunNext(Protocol):
    """Goes on with a job; answers what its handler returns, raises what it raises."""

    def __call__(self, job: Job, /) -> Awaitable[Any]: ...


class RunMiddleware(Protocol):
    """Around a handler: ``async def middleware(job, call_next)``."""

    def __call__(self, job: Job, call_next: RunNext, /) -> Awaitable[Any]: ...


class AddNext(Protocol):
    """Goes on with the jobs; answers for each of them the job that is there now, or why it was refused."""

    def __call__(self, drafts: Sequence[JobDraft], /) -> Awaitable[Sequence[Job | JobError]]: ...


class AddMiddleware(Protocol):
    """Around an add: ``async def middleware(drafts, call_next)``."""

    def __call__(
        self, drafts: Sequence[JobDraft], call_next: AddNext, /
    ) -> Awaitable[Sequence[Job | JobError]]: ...


def layered(
    layers: Sequence[Callable[[G, Callable[[G], Awaitable[R]]], Awaitable[R]]],
    innermost: Callable[[G], Awaitable[R]],
) -> Callable[[G], Awaitable[R]]:
    """Functions around a function, the first one outermost."""
    call = innermost
    for layer in reversed(layers):
        call = _around(layer, call)
    return call


def _around(
    layer: Callable[[G, Callable[[G], Awaitable[R]]], Awaitable[R]], inner: Callable[[G], Awaitable[R]]
) -> Callable[[G], Awaitable[R]]:
    return lambda given: layer(given, inner)


async def add_through(
    layers: Sequence[AddMiddleware], drafts: Sequence[JobDraft], write: AddNext
) -> list[Job | JobError]:
    """Add jobs through middleware.

    Args:
        write: Adds them.

    Raises:
        OptionError: A middleware has handed on, or answered, something else than as many as it got.
    """

    async def innermost(handed: Sequence[JobDraft]) -> Sequence[Job | JobError]:
        return await write(_as_many(handed, drafts, JobDraft, "call_next takes the drafts, all of them"))

    answers = await layered(layers, innermost)(drafts)
    what = "must answer for each draft a Job or a JobError, as call_next does"
    return _as_many(answers, drafts, (Job, JobError), what)


def _as_many(given: object, drafts: Sequence[JobDraft], kind: Any, problem: str) -> list[Any]:
    items = check_items(given, "middleware")
    if len(items) != len(drafts) or not all(isinstance(each, kind) for each in items):
        raise OptionError("middleware", given, problem)
    return items


def check_middleware(value: object, option: str, given: str) -> tuple[Any, ...]:
    """The functions of an option.

    Args:
        given: What they are called with, beside ``call_next``.

    Raises:
        OptionError: One of them can't be used.
    """
    layers = check_items(value, option)
    for number, layer in enumerate(layers):
        if not _is_async(layer) or not _takes_two(layer):
            problem = f"must be: async def middleware({given}, call_next)"
            raise OptionError(f"{option}[{number}]", layer, problem)
    return tuple(layers)


def _is_async(layer: object) -> bool:
    if not callable(layer):
        return False
    inner = inspect.unwrap(layer)
    return any(inspect.iscoroutinefunction(each) for each in (layer, inner, type(layer).__call__))


def _takes_two(layer: object) -> bool:
    try:
        inspect.signature(cast("Callable[..., Any]", layer)).bind(None, None)
    except TypeError:
        return False
    return True
