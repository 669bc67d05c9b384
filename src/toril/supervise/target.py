"""From ``module:target`` to workers."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, TypeVar, cast

import toril
from toril import Worker
from toril.errors import OptionError, TorilError
from toril.errors.nearest import hint

T = TypeVar("T")

# Where the code is by which that of the user is called.
_CALLERS = (str(Path(toril.__file__).parent), str(Path(asyncio.__file__).parent), "uvloop/")
_EXAMPLE = "give module:target, such as shop.queues:workers"
_KINDS = "must be a Worker, a list of them, or an object with workers()"


class TargetFailed(Exception):
    """The user's code raised; the message is its traceback, without frames of ours."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(users_traceback(error))


def load(target: str) -> list[Worker]:
    """The workers of a target.

    Raises:
        OptionError: There is no such module or name, or it holds no workers.
        TargetFailed: The user's code raised.
    """
    module_name, _, path = target.partition(":")
    if not path or not all(word.isidentifier() for word in module_name.split(".")):
        raise OptionError("target", target, _EXAMPLE)
    thing: Any = _import(target, module_name)
    for name in path.split("."):
        known = [each for each in dir(thing) if not each.startswith("_")]
        if not hasattr(thing, name):
            where = thing.__name__ if isinstance(thing, ModuleType) else type(thing).__name__
            raise OptionError(
                "target", target, f"there is no {name!r} in {where}; {_suggestion(name, known)}"
            )
        thing = getattr(thing, name)
    workers = list(dict.fromkeys(_workers_of(target, thing)))
    if not workers:
        raise OptionError("target", target, "holds no workers")
    return workers


def _import(target: str, name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return _called(lambda: importlib.import_module(name))
    except TargetFailed as failed:
        cause = failed.__cause__
        missing = cause.name if isinstance(cause, ModuleNotFoundError) else None
        if missing is None or not f"{name}.".startswith(f"{missing}."):
            raise
        near = [module.name for module in pkgutil.iter_modules([here])]
        text = f"there is no module {missing!r} in {here} or installed; {_suggestion(missing, near)}"
        raise OptionError("target", target, text) from None


def _suggestion(name: str, known: Sequence[str]) -> str:
    return hint(name, known) if known else "there is nothing else"


def _workers_of(target: str, thing: Any) -> list[Worker]:
    """The workers of a thing: itself, those it holds, or those that it gives when it is called."""
    if isinstance(thing, Worker):
        return [thing]
    if isinstance(thing, list | tuple | set | frozenset):
        return [worker for each in cast("Iterable[Any]", thing) for worker in _workers_of(target, each)]
    if inspect.isclass(thing):
        raise OptionError("target", target, f"is the class {thing.__name__}; {_KINDS}")
    make = getattr(thing, "workers", None) or thing
    if not callable(make):
        raise OptionError("target", target, f"is of type {type(thing).__name__}; {_KINDS}")
    made = _called(make)
    if inspect.isawaitable(made):
        made = _called(lambda: asyncio.run(_awaited(made)))
    if not isinstance(made, Worker | list | tuple | set | frozenset):
        raise OptionError("target", target, f"gives {type(made).__name__} when it is called; {_KINDS}")
    return _workers_of(target, made)


async def _awaited(thing: Any) -> Any:
    return await thing


def _called(function: Callable[[], T]) -> T:
    """What the user's code answers; it may raise anything, and may try to leave."""
    try:
        return function()
    except (Exception, SystemExit) as error:
        raise TargetFailed(error) from error


def users_traceback(error: BaseException) -> str:
    """A traceback that begins where the user's code does; and ends there, if it is toril that refuses."""
    trace = traceback.TracebackException.from_exception(error)
    frames = [frame for frame in trace.stack if not frame.filename.startswith("<frozen importlib")]
    users = [place for place, frame in enumerate(frames) if _is_users(frame.filename)]
    last = users[-1] + 1 if users and isinstance(error, TorilError) else len(frames)
    trace.stack = traceback.StackSummary.from_list(frames[users[0] : last] if users else [])
    return "".join(trace.format()).rstrip()


def users_part(error: BaseException) -> TracebackType | None:
    """What of an error's traceback begins where the user's code does; all of it if that was never reached."""
    trace = error.__traceback__
    while trace is not None and not _is_users(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace or error.__traceback__


def _is_users(filename: str) -> bool:
    return not (filename.startswith(_CALLERS) or "importlib" in filename)


def queues_of(worker: Worker) -> list[str]:
    """The names of a worker's queues."""
    return list(worker.status().queues)


def choose(workers: Sequence[Worker], patterns: Sequence[str]) -> list[Worker]:
    """The workers with a queue that fits one of the patterns; all of them without patterns.

    Raises:
        OptionError: A pattern fits no queue.
    """
    known = sorted({name for worker in workers for name in queues_of(worker)})
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise OptionError("queues", pattern, f"no worker works for such a queue; {hint(pattern, known)}")
    if not patterns:
        return list(workers)
    return [
        worker
        for worker in workers
        if any(fnmatchcase(name, pattern) for name in queues_of(worker) for pattern in patterns)
    ]
