"""Spans of time as people write and read them."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])", re.ASCII)
_WHOLE = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)

# Of the two units that are shown, the larger one has at least two of its own.
_SHOWN = (("d", 86_400), ("h", 3600), ("m", 60))


def is_span(text: str) -> bool:
    """Whether a text is a number of seconds, or numbers with units."""
    return bool(_NUMBER.fullmatch(text) or _WHOLE.fullmatch(text))


def seconds_of(text: str, option: str) -> float:
    """Seconds, from a text such as ``90``, ``1.5``, ``500ms``, ``10m`` or ``1h30m``.

    Raises:
        OptionError: It is something else.
    """
    from toril.errors import OptionError

    if _NUMBER.fullmatch(text):
        return float(text)
    if not _WHOLE.fullmatch(text):
        raise OptionError(option, text, "must be seconds, or numbers with units: 500ms, 90s, 10m, 1h30m, 7d")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def shown(seconds: float | None) -> str:
    """A span in a few characters; empty if it is not known."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f}ms"
    for unit, size in _SHOWN:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.1f}s" if seconds < 10 else f"{seconds:.0f}s"
