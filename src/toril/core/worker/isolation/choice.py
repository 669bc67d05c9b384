"""Where handlers run: on the event loop, in threads, or in child processes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, cast

from toril.errors import OptionError
from toril.errors.nearest import hint
from toril.model.checks import check_keyed

Isolation = Literal["loop", "thread", "process"]
#: One way to run all handlers, or ways by the name of their jobs; ``None`` goes by the kind of function.
Choice = Isolation | dict[str, Isolation] | None

ISOLATIONS: tuple[Isolation, ...] = ("loop", "thread", "process")

#: The name that stands for all names of jobs that are not mentioned.
OTHERS = "*"


def read_isolation(option: str, value: object) -> Choice:
    """Where handlers run, as a user says it.

    Raises:
        OptionError: There is no such place.
    """
    if isinstance(value, str):
        return _checked(option, value)
    ways = check_keyed(value, option)
    return {name: _checked(f"{option}[{name!r}]", way) for name, way in ways.items()}


def _checked(option: str, way: object) -> Isolation:
    if way not in ISOLATIONS:
        raise OptionError(option, way, f"there is no such isolation; {hint(str(way), ISOLATIONS)}")
    return way


def uses_children(isolation: Choice) -> bool:
    """Whether some handlers run in child processes."""
    return "process" in (isolation.values() if isinstance(isolation, dict) else (isolation,))


def spread(handlers: Mapping[str, Any], isolation: Choice) -> dict[str, Any]:
    """The handlers, and that for all others once more for each name that is to be run in a way of its own."""
    if OTHERS not in handlers or not isinstance(isolation, dict):
        return dict(handlers)
    return {**dict.fromkeys(isolation, handlers[OTHERS]), **handlers}


def check_served(option: str, by_name: object, names: Collection[str]) -> None:
    """Refuse what an option says of jobs that no handler serves.

    Args:
        by_name: What it says, by the names of jobs; anything else is for all jobs.
        names: Those that have a handler.

    Raises:
        OptionError: There is no handler for them.
    """
    if not isinstance(by_name, dict) or not names or OTHERS in names:
        return
    for name in cast("dict[str, Any]", by_name):
        if name != OTHERS and name not in names:
            text = f"there is no handler for jobs named {name!r}; {hint(name, sorted(names))}"
            raise OptionError(option, name, text)


def choose(isolation: Choice, name: str, *, is_async: bool, option: str, handler: object) -> Isolation:
    """Where the handler of a job's name runs; unless told otherwise, by what kind of function it is.

    Args:
        option: Where the handler stands, for the error.

    Raises:
        OptionError: This kind of function can't run there.
    """
    asked = _asked(isolation, name)
    if asked is None:
        return "loop" if is_async else "thread"
    if asked == "loop" and not is_async:
        advice = "make it 'async def', or let it run in a 'thread' or a 'process'"
        raise OptionError(option, handler, f"isolation 'loop': a plain 'def' would block the loop; {advice}")
    if asked == "thread" and is_async:
        advice = "make it a plain 'def', or let it run in a 'process', which gives it a loop of its own"
        raise OptionError(option, handler, f"isolation 'thread': an 'async def' needs a loop; {advice}")
    return asked


def _asked(isolation: Choice, name: str) -> Isolation | None:
    if isinstance(isolation, dict):
        return isolation.get(name) or isolation.get(OTHERS)
    return isolation
