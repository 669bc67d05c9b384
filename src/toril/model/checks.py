"""Checks of single values, one kind of value each; what passes comes back with its type known."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any, TypeVar, cast

from toril.errors import OptionError

#: The largest whole number that every JSON reader, Lua and JavaScript hold exactly.
MAX_WHOLE = 2**53 - 1

T = TypeVar("T")

# More positions than any list has, and few enough to be counted with.
_FARTHEST = 2**40


def check_bool(value: object, option: str) -> bool:
    """``True`` or ``False``, and nothing that is merely truthy.

    Raises:
        OptionError: It is something else.
    """
    if isinstance(value, bool):
        return value
    raise OptionError(option, value, "must be True or False")


def check_int(value: object, option: str, least: int = 0, most: int = MAX_WHOLE) -> int:
    """A whole number in the bounds, both of which belong to it.

    Raises:
        OptionError: It is no ``int`` (a ``bool`` or ``2.0`` isn't), or out of bounds.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise OptionError(option, value, "must be a whole number (int)")
    if not least <= value <= most:
        bounds = f"at least {least}" if value < least and most == MAX_WHOLE else f"between {least} and {most}"
        raise OptionError(option, value, f"must be {bounds}")
    return value


def check_range(start: object, end: object) -> None:
    """Two positions in a list, of which negative ones count from its end.

    Raises:
        OptionError: One is no whole number, or farther than any list goes.
    """
    check_int(start, "start", -_FARTHEST, _FARTHEST)
    check_int(end, "end", -_FARTHEST, _FARTHEST)


def check_number(value: object, option: str, least: float, most: float) -> float:
    """A finite number in the bounds, both of which belong to it.

    Raises:
        OptionError: It is no number, NaN, infinite or out of bounds.
    """
    if not is_number(value):
        raise OptionError(option, value, "must be a finite number")
    number = cast("float", value)
    if not least <= number <= most:
        raise OptionError(option, value, f"must be between {least:g} and {most:g}")
    return number


def is_number(value: object) -> bool:
    """Whether this is an ``int`` or a finite ``float``, and no ``bool``."""
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def check_text(value: object, option: str) -> str:
    """A text that can be written as UTF-8; it may be empty.

    Raises:
        OptionError: It is no ``str``, or holds a lone surrogate.
    """
    if not isinstance(value, str):
        raise OptionError(option, value, f"must be a str, not {type(value).__name__}")
    if value.isascii() or _is_utf8(value):
        return value
    raise OptionError(option, value, "holds a lone surrogate, which can't be stored as UTF-8")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_kind(value: object, kind: type[T], option: str, problem: str) -> T:
    """Something of this class.

    Raises:
        OptionError: It is something else; ``problem`` says what it must be.
    """
    if not isinstance(value, kind):
        raise OptionError(option, value, problem)
    return value


def check_id(value: object, option: str = "id") -> str:
    """An id to look something up by, as a text; a whole number is what its digits say.

    Raises:
        OptionError: It is something else, or can't be written as UTF-8.
    """
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else check_text(value, option)


def check_items(value: object, option: str) -> list[object]:
    """What is in a list or anything else that can be looped over, but for texts and mappings.

    Raises:
        OptionError: It is something else.
    """
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping):
        raise OptionError(option, cast("object", value), "must be a list, or another iterable")
    return list(cast("Iterable[object]", value))


def check_keyed(value: object, option: str) -> Mapping[str, object]:
    """A mapping, whatever its keys are.

    Raises:
        OptionError: It is none.
    """
    if not isinstance(value, Mapping):
        raise OptionError(option, value, "must be a mapping")
    return cast("Mapping[str, object]", value)


def check_mapping(value: object, option: str, known: Iterable[str]) -> dict[str, object]:
    """A mapping with no other keys than these; a key whose value is ``None`` counts as absent.

    Raises:
        OptionError: It is no mapping, or has an unknown key.
    """
    given = check_keyed(value, option)
    for key in given:
        if key not in known:
            raise OptionError.unknown(f"{option}.{key}", given[key], [f"{option}.{name}" for name in known])
    return {key: entry for key, entry in given.items() if entry is not None}


def check_runs(function: Callable[..., Any], option: str) -> None:
    """Refuse a generator function: calling it makes a generator, which nobody goes through.

    What a decorator makes of one is its own affair.

    Raises:
        OptionError: It is one.
    """
    for called in (function, type(function).__call__):
        if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
            advice = "return instead; what is to be cleaned up is a resource: Annotated[T, Depends(make)]"
            problem = f"it has a 'yield', so that calling it runs nothing of it; {advice}"
            raise OptionError(option, function, problem)
