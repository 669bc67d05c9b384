"""Making resources, and cleaning up behind them."""

from __future__ import annotations

import inspect
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

from toril.core.job import Job
from toril.core.told import Told
from toril.core.worker.inject.given import CancelToken, JobLogger
from toril.core.worker.inject.plan import Fact, Plan, Resource, Source


def picked(needs: Mapping[str, Source], values: Mapping[Source, Any]) -> dict[str, Any]:
    """What is needed, by the names of the parameters it goes to."""
    return {name: values[source] for name, source in needs.items()}


async def made(resource: Resource, values: Mapping[Source, Any], stack: AsyncExitStack) -> Any:
    """Make a resource.

    Args:
        values: What it needs, among others.
        stack: Where it is cleaned up.
    """
    given = resource.make(**picked(resource.needs, values))
    if not resource.entered:
        return await given if inspect.isawaitable(given) else given
    manager = _manager(given)
    if hasattr(manager, "__aenter__"):
        return await stack.enter_async_context(manager)
    return stack.enter_context(manager)


def _manager(given: Any) -> Any:
    """The context manager of what is to be entered, which may be a generator."""
    if inspect.isasyncgen(given):
        return asynccontextmanager(_itself)(given)
    return contextmanager(_itself)(given) if inspect.isgenerator(given) else given


def _itself(generator: Any) -> Any:
    return generator


async def run_with(
    plan: Plan,
    job: Job,
    told: Told,
    lasting: Mapping[Source, Any],
    call: Callable[[dict[str, Any]], Awaitable[Any]],
) -> Any:
    """Call a handler with what it is given beside its job.

    Args:
        told: What the handler is told, for its token; a cancellation that is raised here is told, too.
        lasting: The resources of the worker.
        call: Calls the handler with the parameters that are injected.
    """
    values: dict[Source, Any] = {**lasting, **_facts_of(plan, job, told)}
    failure: BaseException | None = None
    async with AsyncExitStack() as stack:
        try:
            for resource in plan.resources:
                values[resource] = await made(resource, values, stack)
            return await call(picked(plan.needs, values))
        except BaseException as error:
            if isinstance(error, CancelledError):
                told.cancelled.set()
            failure = error
            raise
    # A resource has swallowed it; a run that did not come to its end has no result all the same.
    raise failure


def _facts_of(plan: Plan, job: Job, told: Told) -> dict[Fact, Any]:
    facts: dict[Fact, Any] = {}
    for fact in plan.facts:
        match fact:
            case "job":
                facts[fact] = job
            case "log":
                facts[fact] = JobLogger(plan.logger, job)
            case "cancel":
                facts[fact] = CancelToken(told.cancelled)
    return facts
