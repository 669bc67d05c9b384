"""The handlers of a worker: one for all jobs, or each by the name of its jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol, cast

from toril.core.job import Job
from toril.core.middleware import RunMiddleware, layered
from toril.core.worker.context import InContext
from toril.core.worker.handler import Handler, HandlerCall, is_async
from toril.core.worker.inject.injector import Injector
from toril.core.worker.isolation.choice import OTHERS, Choice, choose, spread
from toril.core.worker.isolation.pool import ChildPool, ProcessCall
from toril.core.worker.settings import Settings
from toril.core.worker.signature import check_callable
from toril.core.worker.threads import HandlerThreads
from toril.errors import OptionError, UnknownJobName
from toril.model.checks import check_kind

#: One handler for all jobs, or handlers by the name of their jobs; ``"*"`` serves all other names.
Handlers = Handler | Mapping[str, Handler]


class Call(Protocol):
    """What runs a job."""

    def run(self, job: Job, /) -> Awaitable[Any]:
        """Call the job's handler; answers what it returns, raises what it raises."""
        ...

    async def close(self) -> None:
        """Let idle threads and children end."""
        ...


class Homes:
    """Where the handlers of a worker run.

    Raises:
        OptionError: A child can't import a hook.
    """

    def __init__(self, settings: Settings, injector: Injector) -> None:
        self._isolation: Choice = settings.isolation
        self._injector = injector
        self._threads = HandlerThreads()
        self._children = ChildPool(settings.children, injector)

    def call_of(self, handler: Handler, name: str, option: str) -> Call:
        """A handler, ready to be called where it is to run.

        Raises:
            OptionError: It can't run there, or can't be called with a job.
        """
        check_callable(handler, option)
        way = choose(self._isolation, name, is_async=is_async(handler), option=option, handler=handler)
        if way == "process":
            return ProcessCall(handler, self._children, option)
        return HandlerCall(handler, self._threads, option, self._injector)

    async def close(self) -> None:
        """Let idle threads and children end."""
        self._threads.close()
        await self._children.close()


class Routes:
    """Handlers by the names of their jobs, as they are now: later changes of the mapping are not seen.

    Raises:
        OptionError: There is no handler, a name is no text, or a handler can't be called with a job.
    """

    def __init__(self, handlers: Mapping[str, Handler], isolation: Choice, homes: Homes) -> None:
        if not handlers:
            raise OptionError("handler", handlers, "must have a handler for one name at least")
        self._homes = homes
        runs = {
            name: homes.call_of(handler, name, f"handler[{name!r}]").run
            for name, handler in spread(_checked(handlers), isolation).items()
        }
        self._names = list(runs)
        self._others = runs.get(OTHERS)
        # By the name as it is stored, so that nothing has to be decoded for a look.
        self._runs = {name.encode("utf-8", "surrogatepass"): run for name, run in runs.items()}

    def run(self, job: Job) -> Awaitable[Any]:
        """Call the handler of the job's name.

        Raises:
            UnknownJobName: There is none.
        """
        run = self._runs.get(job.fields.get(b"name", b""), self._others)
        if run is None:
            raise UnknownJobName(job.name, self._names)
        return run(job)

    async def close(self) -> None:
        """Let idle threads and children end."""
        await self._homes.close()


def call_of(handler: Handlers, settings: Settings, injector: Injector | None = None) -> Call:
    """A handler or a mapping of them, ready to be called with jobs.

    Args:
        settings: Say where they run, and what is called around them.
        injector: Has what they are given beside their jobs; ``None`` for one of their own.

    Raises:
        OptionError: One of them can't be used.
    """
    homes = Homes(settings, Injector() if injector is None else injector)
    if isinstance(handler, Mapping):
        call: Call = Routes(cast("Mapping[str, Handler]", handler), settings.isolation, homes)
    elif isinstance(settings.isolation, dict):
        call = Routes({OTHERS: handler}, settings.isolation, homes)
    else:
        call = homes.call_of(handler, OTHERS, "handler")
    return Wrapped(call, settings.middleware) if settings.middleware else call


class Wrapped:
    """Handlers with middleware around them."""

    def __init__(self, call: Call, middleware: Sequence[RunMiddleware]) -> None:
        self._call = call
        self._through = layered(middleware, self._handle)

    async def _handle(self, job: Job) -> Any:
        return await self._call.run(check_kind(job, Job, "job", "call_next takes the job, or one like it"))

    def run(self, job: Job) -> Awaitable[Any]:
        """Call the outermost middleware; what it binds is there for the handler, and gone after the job."""
        return InContext(self._run(job))

    async def _run(self, job: Job) -> Any:
        return await self._through(job)

    async def close(self) -> None:
        """Let idle threads and children end."""
        await self._call.close()


def _checked(handlers: Mapping[Any, Handler]) -> dict[str, Handler]:
    for name, handler in handlers.items():
        if not isinstance(name, str):
            raise OptionError(f"handler[{name!r}]", handler, "names of jobs are texts")
    return dict(handlers)
