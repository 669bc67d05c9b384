"""Payloads, results and progress as JSON text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, cast

import msgspec

from toril.errors import OptionError

_encode = msgspec.json.Encoder().encode
# A server takes no text of 512 MiB; a payload of a quarter of that is a mistake already.
_MOST_BYTES = 128 * 1024 * 1024


def encode(value: Any, what: str) -> str:
    """Value as JSON text. Dataclasses, enums, UUIDs, datetimes and msgspec structs are taken, too.

    Args:
        what: What the value is, for the error.

    Raises:
        OptionError: It has no JSON form (cycles, NaN, lone surrogates, unknown types), or is too large.
    """
    try:
        text = _encode(value)
    except RecursionError:
        raise OptionError(what, "...", "it contains itself, or is nested too deeply") from None
    except UnicodeEncodeError:
        raise OptionError(what, "...", "it holds a lone surrogate, which is no text") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise OptionError(what, _short(value), f"it has no JSON form: {error}") from error
    if len(text) > _MOST_BYTES:
        raise OptionError(
            what, "...", f"{len(text)} bytes are more than the {_MOST_BYTES} that can be stored"
        )
    # JSON has no NaN: it would be stored as null without a word.
    if b"null" in text:
        _refuse_nan(msgspec.to_builtins(value), what)
    return text.decode()


def byte_length(text: str) -> int:
    """Length of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def _refuse_nan(value: Any, path: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise OptionError(path, value, "JSON has no such number")
    items: Iterable[tuple[object, object]] = ()
    if isinstance(value, dict):
        items = cast("dict[object, object]", value).items()
    elif isinstance(value, list | tuple):
        items = enumerate(cast("Sequence[object]", value))
    for place, item in items:
        _refuse_nan(item, f"{path}[{place!r}]")


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:
        return f"<{type(value).__name__}>"
    return text if len(text) <= 80 else text[:77] + "..."
