"""The children of a worker: made when they are needed, kept warm, replaced when they are spent."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from itertools import chain
from typing import Any

from toril.core.job import Job
from toril.core.worker.handler import fitted
from toril.core.worker.inject.injector import Injector
from toril.core.worker.isolation.functions import main_of_program, needs_main, portable
from toril.core.worker.isolation.messages import Setup, packed
from toril.core.worker.isolation.options import ChildHook, ChildOptions
from toril.core.worker.isolation.process import ChildProcess
from toril.core.worker.signature import wants_of
from toril.errors import SoftTimeout

# Seconds to wait after a child that could not start; twice as long after each further one, up to the longest.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 10.0


class ChildPool:
    """The children of a worker. There are as many as it ever ran jobs in them at once.

    Args:
        injector: Knows what handlers are given beside their jobs. Each child makes that itself.

    Raises:
        OptionError: A child can't import a hook.
    """

    def __init__(self, options: ChildOptions, injector: Injector | None = None) -> None:
        self._options = options
        self._injector = Injector() if injector is None else injector
        self._on_start = _portable_hook(options.on_start, "on_child_start")
        self._on_stop = _portable_hook(options.on_stop, "on_child_stop")
        self._handlers: list[bytes] = []
        self._overrides: list[tuple[bytes, bytes]] = []
        self._children: set[ChildProcess] = set()
        self._idle: list[ChildProcess] = []
        self._bad_starts = 0

    def add(self, handler: Any, option: str) -> int:
        """A handler that children shall know; answers its number.

        Raises:
            OptionError: A child can't import it, or what is made in place of what it needs; or it can't be
                called with a job.
        """
        # What is wrong with its signature shows here, and not in each child.
        plan = self._injector.plan_elsewhere(handler, option)
        fitted(handler, wants_of(handler, option, plan.needs), option)
        self._handlers.append(portable(handler, option))
        self._overrides = [
            (portable(make, "make"), portable(fake, "fake"))
            for make, fake in self._injector.overrides_elsewhere.items()
        ]
        return len(self._handlers) - 1

    async def run(self, handler: int, job: Job) -> Any:
        """Run a job in a child; see ``ChildProcess.run``."""
        child, late = self._warm(), None
        if child is None:
            late = await self._pause()
            child = self._started()
        try:
            return await child.run(handler, job, late)
        finally:
            if child.usable:
                self._idle.append(child)
            if child.started:
                self._bad_starts = 0
            elif not child.usable:
                self._bad_starts += 1

    def _warm(self) -> ChildProcess | None:
        """The child that rested last; those that have died meanwhile are passed over."""
        while self._idle:
            child = self._idle.pop()
            if child.usable and child.listens:
                return child
        return None

    async def _pause(self) -> SoftTimeout | None:
        """Wait, if starts have failed; answers a soft timeout that is yet to be heard."""
        late: SoftTimeout | None = None
        if self._bad_starts:
            loop = asyncio.get_running_loop()
            ends = loop.time() + min(_FIRST_PAUSE * 2 ** (self._bad_starts - 1), _LONGEST_PAUSE)
            while (left := ends - loop.time()) > 0:
                try:
                    await asyncio.sleep(left)
                except SoftTimeout as error:
                    late = error
        return late

    def _started(self) -> ChildProcess:
        self._children = {child for child in self._children if not child.ended.is_set()}
        child = ChildProcess(self._options.grace)
        self._children.add(child)
        child.start(packed(self._setup()))
        return child

    def _setup(self) -> Setup:
        options = self._options
        pickles = [*self._handlers, *chain(*self._overrides), self._on_start or b"", self._on_stop or b""]
        main = main_of_program() if any(needs_main(each) for each in pickles) else None
        if main is not None:
            # What children call the classes of the program's own file.
            sys.modules.setdefault("__mp_main__", sys.modules["__main__"])
        return Setup(
            sys.argv,
            main,
            self._handlers,
            self._overrides,
            self._on_start,
            self._on_stop,
            options.max_jobs,
            options.max_memory,
            options.grace,
        )

    async def close(self) -> None:
        """Let all children go, and wait until they are gone."""
        children, self._children = self._children, set()
        self._idle.clear()
        for child in children:
            child.leave()
        for child in children:
            await child.ended.wait()


class ProcessCall:
    """A handler that runs in children.

    Args:
        option: Where the handler stands, for errors.

    Raises:
        OptionError: A child can't import it, or it can't be called with a job.
    """

    def __init__(self, handler: Any, children: ChildPool, option: str = "handler") -> None:
        self._children = children
        self._number = children.add(handler, option)

    def run(self, job: Job) -> Awaitable[Any]:
        """Run a job; answers what its handler returns, raises what it raises."""
        return self._children.run(self._number, job)


def _portable_hook(hook: ChildHook | None, option: str) -> bytes | None:
    return portable(hook, option) if hook is not None else None
