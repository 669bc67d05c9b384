"""The handlers of a worker: one for all jobs, or each by the name of its jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol, cast

from toril.core.job import Job
from toril.core.middleware import RunMiddleware, layered
from toril.core.worker.context import InContext
from toril.core.worker.handler import Handler, HandlerCall
from toril.core.worker.inject.injector import Injector
from toril.core.worker.threads import HandlerThreads
from toril.errors import OptionError, UnknownJobName
from toril.model.checks import check_kind

#: One handler for all jobs, or handlers by the name of their jobs; ``"*"`` serves all other names.
Handlers = Handler | Mapping[str, Handler]

_OTHERS = "*"


class Call(Protocol):
    """What runs a job."""

    def run(self, job: Job, /) -> Awaitable[Any]:
        """Call the job's handler; answers what it returns, raises what it raises."""
        ...

    def close(self) -> None:
        """Let idle threads end."""
        ...


class Routes:
    """Handlers by the names of their jobs, as they are now: later changes of the mapping are not seen.

    Args:
        option: Where the mapping stands, for errors.

    Raises:
        OptionError: There is no handler, a name is no text, or a handler can't be called with a job.
    """

    def __init__(
        self, handlers: Mapping[str, Handler], injector: Injector | None = None, option: str = "handler"
    ) -> None:
        if not handlers:
            raise OptionError(option, handlers, "must have a handler for one name at least")
        self._threads = HandlerThreads()
        runs = {
            name: HandlerCall(handler, self._threads, f"{option}[{name!r}]", injector).run
            for name, handler in _checked(handlers, option)
        }
        self._names = list(runs)
        self._others = runs.get(_OTHERS)
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

    def close(self) -> None:
        """Let idle threads end; see ``HandlerThreads.close``."""
        self._threads.close()


class QueueRoutes:
    """Handlers by the queues of their jobs."""

    def __init__(self, calls: Mapping[str, Call]) -> None:
        self._calls = calls

    def run(self, job: Job) -> Awaitable[Any]:
        """Call the handler of the job's queue."""
        return self._calls[job.queue_name].run(job)

    def close(self) -> None:
        """Let idle threads end; see ``HandlerThreads.close``."""
        for call in self._calls.values():
            call.close()


def call_of(
    handler: Handlers,
    injector: Injector | None = None,
    middleware: Sequence[RunMiddleware] = (),
    option: str = "handler",
) -> Call:
    """A handler or a mapping of them, ready to be called with jobs.

    Args:
        injector: Has what they are given beside their jobs; ``None`` for one of their own.
        middleware: What is called around them, the first one outermost.
        option: Where they stand, for errors.

    Raises:
        OptionError: One of them can't be used.
    """
    injector = Injector() if injector is None else injector
    if isinstance(handler, Mapping):
        call: Call = Routes(cast("Mapping[str, Handler]", handler), injector, option)
    else:
        call = HandlerCall(handler, option=option, injector=injector)
    return Wrapped(call, middleware) if middleware else call


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

    def close(self) -> None:
        """Let idle threads end; see ``HandlerThreads.close``."""
        self._call.close()


def _checked(handlers: Mapping[Any, Handler], option: str) -> list[tuple[str, Handler]]:
    for name, handler in handlers.items():
        if not isinstance(name, str):
            raise OptionError(f"{option}[{name!r}]", handler, "names of jobs are texts")
    return list(handlers.items())
