"""The handlers of a worker: one for all jobs, or each by the name of its jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, cast

from toril.core.job import Job
from toril.core.middleware import RunMiddleware, layered
from toril.core.worker.context import InContext
from toril.core.worker.handler import Handler
from toril.core.worker.homes import Call, Homes
from toril.core.worker.isolation.choice import OTHERS, spread
from toril.errors import OptionError, UnknownJobName
from toril.model.checks import check_kind

#: One handler for all jobs, or handlers by the name of their jobs; ``"*"`` serves all other names.
Handlers = Handler | Mapping[str, Handler]


class Routes:
    """Handlers by the names of their jobs, as they are now: later changes of the mapping are not seen.

    Args:
        option: Where the mapping stands, for errors.

    Raises:
        OptionError: There is no handler, a name is no text, or a handler can't be called with a job.
    """

    def __init__(self, handlers: Mapping[str, Handler], homes: Homes, option: str = "handler") -> None:
        if not handlers:
            raise OptionError(option, handlers, "must have a handler for one name at least")
        runs = {
            name: homes.call_of(handler, name, f"{option}[{name!r}]").run
            for name, handler in spread(_checked(handlers, option), homes.isolation).items()
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


class QueueRoutes:
    """Handlers by the queues of their jobs."""

    def __init__(self, calls: Mapping[str, Call]) -> None:
        self._calls = calls

    def run(self, job: Job) -> Awaitable[Any]:
        """Call the handler of the job's queue."""
        return self._calls[job.queue_name].run(job)


def call_of(homes: Homes, handler: Handlers, option: str = "handler") -> Call:
    """A handler or a mapping of them, ready to be called with jobs.

    Args:
        homes: Where they run.
        option: Where they stand, for errors.

    Raises:
        OptionError: One of them can't be used.
    """
    if isinstance(handler, Mapping):
        return Routes(cast("Mapping[str, Handler]", handler), homes, option)
    if isinstance(homes.isolation, dict):
        return Routes({OTHERS: handler}, homes, option)
    return homes.call_of(handler, OTHERS, option)


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


def _checked(handlers: Mapping[Any, Handler], option: str) -> dict[str, Handler]:
    for name, handler in handlers.items():
        if not isinstance(name, str):
            raise OptionError(f"{option}[{name!r}]", handler, "names of jobs are texts")
    return dict(handlers)
