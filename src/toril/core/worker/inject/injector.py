"""The resources of a worker: planned with it, made when it starts, closed when it closes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from toril.core.worker.inject.making import made
from toril.core.worker.inject.plan import Plan, Planner, Resource, Source
from toril.errors import OptionError

_logger = logging.getLogger(__name__)

#: What makes a resource in place of what a handler names.
Overrides = Mapping[Callable[..., Any], Callable[..., Any]]


class Injector:
    """Gives handlers what their parameters ask for.

    Any process that runs handlers can have one: all it takes are the handlers and the overrides.

    Args:
        report: Told of resources that can't be cleaned up; ``None`` logs them.
        overrides: What makes a resource in place of what handlers name.

    Attributes:
        lasting: The resources of the worker, once they are made.
    """

    def __init__(
        self, report: Callable[[BaseException], None] | None = None, overrides: Overrides | None = None
    ) -> None:
        self.overrides: Overrides = overrides or {}
        self._report = report or _log
        self._planner = Planner(self.overrides)
        self._elsewhere = Planner(self.overrides)
        self.lasting: dict[Source, Any] = {}
        self._keeping: _Keeping | None = None

    def plan(self, handler: Callable[..., Any], option: str) -> Plan:
        """Read what a handler is to be given; see ``Planner.plan``."""
        return self._planner.plan(handler, option)

    def plan_elsewhere(self, handler: Callable[..., Any], option: str) -> Plan:
        """The same for a handler that another process runs; its resources are made there, and not here."""
        return self._elsewhere.plan(handler, option)

    @property
    def overrides_elsewhere(self) -> Overrides:
        """The overrides that handlers in other processes need."""
        makers = self._elsewhere.makers
        return {make: fake for make, fake in self.overrides.items() if make in makers}

    def check_known(self, make: Callable[..., Any]) -> None:
        """Refuse to override what is not used.

        Raises:
            OptionError: No handler names it.
        """
        # A list, since what is no maker may be nothing that a mapping can be asked for.
        makers = list(dict.fromkeys([*self._planner.makers, *self._elsewhere.makers]))
        if make not in makers:
            known = ", ".join(getattr(each, "__name__", repr(each)) for each in makers)
            raise OptionError("make", make, f"makes nothing for these handlers; known are: {known or 'none'}")

    @property
    def is_open(self) -> bool:
        """Whether resources of the worker are made, or being made."""
        return self._keeping is not None

    async def open(self) -> None:
        """Make the resources of the worker, unless they are made; called again, it waits for that.

        Raises:
            BaseException: What the user's function raises; what was made before is cleaned up then.
        """
        lasting = [each for each in self._planner.resources if each.scope == "worker"]
        if not lasting:
            return
        if self._keeping is None:
            self._keeping = _Keeping(lasting, self.lasting, self._report)
        keeping = self._keeping
        try:
            await keeping.made()
        except BaseException:
            if self._keeping is keeping and keeping.task.done():
                # Whoever opens it again tries again.
                self._keeping = None
            raise

    async def close(self) -> None:
        """Clean up behind the resources of the worker, the last one first; errors are reported."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            await keeping.end()


class _Keeping:
    """Makes resources and cleans up behind them, all in one task: some can be left only where entered."""

    def __init__(
        self,
        resources: list[Resource],
        values: dict[Source, Any],
        report: Callable[[BaseException], None],
    ) -> None:
        self._values = values
        self._report = report
        self._ready = asyncio.Event()
        self._over = asyncio.Event()
        self._failure: BaseException | None = None
        self.task = asyncio.create_task(self._keep(resources))

    async def made(self) -> None:
        await self._ready.wait()
        if self._failure is not None:
            await asyncio.wait([self.task])
            raise self._failure

    async def end(self) -> None:
        if not self._ready.is_set():
            self.task.cancel()
        self._over.set()
        try:
            await asyncio.shield(asyncio.wait([self.task]))
        except asyncio.CancelledError:
            # Nobody waits any longer for what is being cleaned up.
            self.task.cancel()
            raise

    async def _keep(self, resources: list[Resource]) -> None:
        stacks: list[AsyncExitStack] = []
        try:
            for resource in resources:
                stacks.append(AsyncExitStack())
                self._values[resource] = await made(resource, self._values, stacks[-1])
            self._ready.set()
            await self._over.wait()
        except BaseException as error:
            self._failure = error
        finally:
            for stack in reversed(stacks):
                await self._clean_up(stack)
            self._values.clear()
            self._ready.set()

    async def _clean_up(self, stack: AsyncExitStack) -> None:
        """One that can't be cleaned up must not keep the others from it."""
        try:
            await stack.aclose()
        except (Exception, asyncio.CancelledError) as error:
            self._report(error)


def _log(error: BaseException) -> None:
    _logger.error("a resource could not be cleaned up", exc_info=error)
