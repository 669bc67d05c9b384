"""Reading what another client may have stored: nothing here raises, whatever it is."""

from __future__ import annotations

from math import isfinite
from typing import Any

import msgspec


def read_text(value: bytes | str | None) -> str | None:
    """A text; what is no UTF-8 in it is replaced."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def read_json(value: bytes | str | None, default: Any = None) -> Any:
    """A JSON value; ``default`` if there is none, or if it can't be read."""
    if value is None:
        return default
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return default


def read_number(value: bytes | str | None) -> int | float | None:
    """A finite number, an ``int`` if it is whole; ``None`` for anything else."""
    try:
        number = None if value is None else float(value)
    except ValueError:
        return None
    if number is None or not isfinite(number):
        return None
    return int(number) if number.is_integer() else number


def read_whole(value: bytes | str | None) -> int | None:
    """A whole number of any size; a fraction is dropped, anything else is ``None``."""
    try:
        return None if value is None else int(value)
    except ValueError:
        number = read_number(value)
        return None if number is None else int(number)
