"""What handlers may ask for, planned when the worker is made; what nobody can give is refused there."""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Annotated, Any

import pytest

import toril.sync
from toril import (
    BlockingJob,
    CancelToken,
    Depends,
    FlowProducer,
    Job,
    JobLogger,
    OptionError,
    Queue,
    Worker,
)
from toril.core.worker.inject.plan import Plan, Planner, Resource

if TYPE_CHECKING:
    from decimal import Decimal as Amount


class Pool:
    """Something that is no payload."""


def make_pool() -> Pool: ...
def make_session(job: Job, pool: Annotated[Pool, Depends(make_pool)]) -> str: ...


POOL = Pool()
PoolDep = Annotated[Pool, Depends(make_pool)]
Session = Annotated[str, Depends(make_session, scope="job")]


SILENT = functools.partial(print, 1)


def plan_of(handler: Callable[..., Any]) -> Plan:
    return Planner({}).plan(handler, "handler")


def shown(plan: Plan) -> dict[str, Any]:
    return {
        name: (source.make, source.scope) if isinstance(source, Resource) else source
        for name, source in plan.needs.items()
    }


def wants_none(job: Job, size: int = 3, *rest: int, **more: str) -> None: ...
def unseen_default(job: Job, size: Amount | None = None) -> None: ...
def own_logger(job: Job, log: logging.LoggerAdapter[Any] | None = None) -> None: ...


def wants_pool(job: Job, pool: PoolDep) -> None: ...
def by_name(job: Job, *, pool: PoolDep) -> None: ...
def optional(job: Job, pool: PoolDep | None = None) -> None: ...
def defaulted(job: Job, pool: PoolDep = POOL) -> None: ...
def noted(job: Job, pool: Annotated[Pool, "a note", Depends(make_pool), 5]) -> None: ...


@pytest.mark.parametrize("handler", [wants_none, unseen_default, own_logger, max, SILENT])
def test_what_is_not_marked_is_the_handlers_own_affair(handler: Callable[..., Any]) -> None:
    assert shown(plan_of(handler)) == {}


@pytest.mark.parametrize("handler", [wants_pool, by_name, optional, defaulted, noted])
def test_a_resource_is_marked_in_many_ways(handler: Callable[..., Any]) -> None:
    assert shown(plan_of(handler)) == {"pool": (make_pool, "worker")}


def test_what_a_partial_gives_is_not_injected() -> None:
    assert shown(plan_of(functools.partial(wants_pool, pool=Pool()))) == {}


class Methods:
    async def method(self, pool: PoolDep, job: Job) -> None: ...
    def __call__(self, job: Job, pool: PoolDep) -> None: ...


@pytest.mark.parametrize("handler", [Methods().method, Methods()])
def test_methods_and_objects_have_signatures_too(handler: Callable[..., Any]) -> None:
    assert shown(plan_of(handler)) == {"pool": (make_pool, "worker")}


def facts(
    log: JobLogger,
    plain: logging.LoggerAdapter[Any],
    cancel: CancelToken,
    maybe: CancelToken | None = None,
    perhaps: JobLogger | None = None,
) -> None: ...


def test_what_a_run_gives_is_known_by_its_type() -> None:
    plan = plan_of(facts)

    assert shown(plan) == {
        **dict.fromkeys(("log", "plain", "perhaps"), "log"),
        **dict.fromkeys(("cancel", "maybe"), "cancel"),
    }
    assert plan.facts == {"log", "cancel"}
    assert plan.logger.name == __name__


def two_sessions(job: Job, session: Session, same: Session, pool: PoolDep) -> None: ...


def test_what_is_needed_is_made_before_what_needs_it_and_once() -> None:
    planner = Planner({})
    plan = planner.plan(two_sessions, "handler")

    assert plan.needs["session"] is plan.needs["same"]
    assert [each.make for each in plan.resources] == [make_session]
    assert [each.make for each in planner.resources] == [make_pool, make_session]
    assert plan.facts == {"job"}
    assert plan.resources[0].needs["pool"] is plan.needs["pool"]


# --- bad input ---


MARK = Depends(make_pool)


def plain_pool(job: Job, order: Pool) -> None: ...
def too_many(job: Job, order: dict[str, int], pool: Pool) -> None: ...
def nameless(pool: PoolDep, /, job: Job) -> None: ...
def no_maker(job: Job, pool: Annotated[Pool, Depends]) -> None: ...
def two_makers(job: Job, pool: Annotated[Pool, Depends(make_pool), Depends(Pool)]) -> None: ...
def unseen(job: Job, size: Annotated[Amount, Depends(make_pool)]) -> None: ...
def unseen_with_default(job: Job, size: Annotated[Amount, Depends(make_pool)] | None = None) -> None: ...


def as_default(job: Job, pool: Any = MARK) -> None: ...


def sized(size: int) -> str: ...
def untyped(size: Any) -> str: ...
def by_place(log: JobLogger, /) -> str: ...
def of_a_session(session: Session) -> str: ...
def of_a_job(job: BlockingJob) -> str: ...
def of_a_token(cancel: CancelToken) -> str: ...
def of_sized(inner: Annotated[str, Depends(sized)]) -> str: ...


class Sized:
    def __init__(self, size: int) -> None: ...


def circle(*names: str) -> list[Callable[..., str]]:
    """Functions that each need the next one, and the last one the first."""

    def function_named(name: str) -> Callable[..., str]:
        def make(needed: str) -> str: ...

        make.__name__ = name
        return make

    made = [function_named(name) for name in names]
    for function, needed in zip(made, [*made[1:], made[0]], strict=True):
        function.__annotations__["needed"] = Annotated[str, Depends(needed)]
    return made


def in_a_circle(hen: Annotated[str, Depends(circle("hen", "egg")[0])]) -> str: ...


def asking(make: Callable[..., Any]) -> Callable[..., Any]:
    """A handler that wants what this makes."""

    def handler(job: Job, thing: Any) -> None: ...

    handler.__annotations__["thing"] = Annotated[Any, Depends(make)]
    return handler


@pytest.mark.parametrize(
    ("handler", "problem"),
    [
        (plain_pool, "its payload order: Pool can't be decoded, JSON knows nothing like Pool"),
        (plain_pool, "what the worker shall make is Annotated[T, Depends(make)]"),
        (too_many, "'order: dict[str, int]' and 'pool: Pool' are all payloads, of which a job has one"),
        (too_many, "what can be injected is Annotated[T, Depends(make)], JobLogger and CancelToken"),
        (nameless, "'pool: PoolDep' is injected by name, and must not be before /"),
        (no_maker, "Depends stands without what makes the resource; write Depends(make)"),
        (two_makers, "'pool: Annotated[Pool, Depends(make_pool), Depends(Pool)]' has more than one Depends"),
        (unseen, "the annotation 'Annotated[Amount, Depends(make_pool)]' of 'size' can't be resolved"),
        (unseen_with_default, "of 'size' can't be resolved (name 'Amount' is not defined)"),
        (as_default, "write pool: Annotated[T, Depends(make)], and no default"),
        (asking(in_a_circle), "its resource egg: it goes round in a circle: hen needs egg needs hen"),
        (asking(circle("narcissus")[0]), "it goes round in a circle: narcissus needs narcissus"),
        (asking(sized), "its resource sized: nobody can give it 'size: int'; what can be injected is"),
        (asking(of_sized), "its resource sized: nobody can give it 'size: int'"),
        (asking(Sized), "its resource Sized: nobody can give it 'size: int'"),
        (asking(untyped), "its resource untyped: nobody can give it 'size: Any'"),
        (asking(by_place), "'log: JobLogger' is injected by name, and must not be before /"),
        (asking(of_a_session), "its resource of_a_session: it lives as long as the worker, and 'session' no"),
        (asking(of_a_job), "and 'job' no longer than a job; write Depends(..., scope='job')"),
        (asking(of_a_token), "and 'cancel' no longer than a job; write Depends(..., scope='job')"),
    ],
)
def test_what_nobody_can_give_is_refused_when_the_worker_is_made(
    handler: Callable[..., Any], problem: str
) -> None:
    with pytest.raises(OptionError) as caught:
        Worker("shop", {"paint": handler})

    assert caught.value.option == "handler['paint']"
    assert caught.value.value is handler
    assert problem in str(caught.value)


class Unhashable:
    def __eq__(self, other: object) -> bool:
        return self is other

    def __call__(self) -> None: ...


@pytest.mark.parametrize(
    ("make", "scope", "problem"),
    [
        (5, "worker", "can't be called; give the function that makes the resource"),
        (functools.partial, "jobs", "there is no such scope; did you mean 'job'?"),
        (Unhashable(), "worker", "must be hashable: handlers share a resource by what makes it"),
    ],
)
def test_a_mark_that_is_no_use_is_refused(make: Any, scope: Any, problem: str) -> None:
    with pytest.raises(OptionError) as caught:
        Depends(make, scope=scope)

    assert problem in str(caught.value)


async def one_argument(job: Job) -> None: ...
def no_coroutine(job: Job, call_next: Any) -> Any: ...


async def lifespan(worker: Worker) -> AsyncGenerator[None]:
    yield


@pytest.mark.parametrize(
    ("options", "option", "problem"),
    [
        ({"middleware": one_argument}, "middleware", "must be a list, or another iterable"),
        ({"middleware": [5]}, "middleware[0]", "must be: async def middleware(job, call_next)"),
        ({"middleware": [one_argument]}, "middleware[0]", "must be: async def middleware(job, call_next)"),
        ({"middleware": [no_coroutine]}, "middleware[0]", "must be: async def middleware(job, call_next)"),
        ({"on_start": 5}, "on_start", "must be a function that takes the worker"),
        ({"on_stop": "bye"}, "on_stop", "must be a function that takes the worker"),
        ({"on_start": lifespan}, "on_start", "it has a 'yield', so that calling it runs nothing of it"),
        ({"on_stop": functools.partial(lifespan)}, "on_stop", "it has a 'yield'"),
        ({"on_end": print}, "on_end", "there is no such option"),
    ],
)
def test_middleware_and_hooks_that_are_no_use_are_refused(
    options: dict[str, Any], option: str, problem: str
) -> None:
    with pytest.raises(OptionError) as caught:
        Worker("shop", one_argument, **options)

    assert caught.value.option == option
    assert problem in str(caught.value)


@pytest.mark.parametrize("kind", [Queue, FlowProducer, toril.sync.Queue, toril.sync.FlowProducer])
def test_what_is_around_an_add_is_checked_too(kind: Any) -> None:
    name = ("shop",) if kind in (Queue, toril.sync.Queue) else ()
    useless: Any = [no_coroutine]
    with pytest.raises(OptionError, match=r"async def middleware\(drafts, call_next\)"):
        kind(*name, middleware=useless)
