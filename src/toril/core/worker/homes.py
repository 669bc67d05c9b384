"""Where the handlers of a worker run: on its loop, in its threads, in its children."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Protocol

from toril.core.job import Job
from toril.core.worker.handler import Handler, HandlerCall, is_async
from toril.core.worker.inject.injector import Injector
from toril.core.worker.isolation.choice import Choice, check_served, choose
from toril.core.worker.isolation.options import ChildOptions
from toril.core.worker.settings import Settings
from toril.core.worker.signature import check_callable
from toril.core.worker.threads import HandlerThreads

if TYPE_CHECKING:
    from toril.core.worker.isolation.pool import ChildPool


class Call(Protocol):
    """What runs a job."""

    def run(self, job: Job, /) -> Awaitable[Any]:
        """Call the job's handler; answers what it returns, raises what it raises."""
        ...


class Homes:
    """Where the handlers of a worker run; all of them share its threads and children.

    Args:
        injector: Has what they are given beside their jobs; ``None`` for one of their own.

    Attributes:
        isolation: Where the user wants them to run.

    Raises:
        OptionError: A child can't import a hook.
    """

    def __init__(self, settings: Settings, injector: Injector | None = None) -> None:
        self.isolation: Choice = settings.isolation
        self._injector = Injector() if injector is None else injector
        self._threads = HandlerThreads()
        self._child_options = settings.children
        self._children: ChildPool | None = None
        if settings.children != ChildOptions():
            self._child_pool()
        self._names: set[str] = set()
        self._by_name: dict[str, object] = {
            "isolation": settings.isolation,
            "timeout": settings.timeouts,
            "soft_timeout": settings.soft_timeouts,
        }

    def _child_pool(self) -> ChildPool:
        """Made when it is needed: what it imports takes a tenth of the time that a worker takes to import."""
        if self._children is None:
            from toril.core.worker.isolation.pool import ChildPool

            self._children = ChildPool(self._child_options, self._injector)
        return self._children

    def call_of(self, handler: Handler, name: str, option: str) -> Call:
        """A handler for the jobs of a name, ready to be called where it is to run.

        Raises:
            OptionError: It can't run there, or can't be called with a job.
        """
        self._names.add(name)
        check_callable(handler, option)
        way = choose(self.isolation, name, is_async=is_async(handler), option=option, handler=handler)
        if way == "process":
            from toril.core.worker.isolation.pool import ProcessCall

            return ProcessCall(handler, self._child_pool(), option)
        return HandlerCall(handler, self._threads, option, self._injector)

    def check_names(self) -> None:
        """When all handlers are there: refuse what is said of jobs that none of them serves.

        Raises:
            OptionError: No handler serves a name.
        """
        for option, by_name in self._by_name.items():
            check_served(option, by_name, self._names)

    async def close(self) -> None:
        """Let idle threads and children end."""
        self._threads.close()
        if self._children is not None:
            await self._children.close()
