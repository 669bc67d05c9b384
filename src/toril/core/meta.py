"""The settings of a whole queue, as callers see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toril.model.stored import read_number

_NUMBERS = {
    "opts.maxLenEvents": "max_len_events",
    "concurrency": "concurrency",
    "max": "max",
    "duration": "duration",
}


def public_meta(stored: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a queue's meta: numbers as numbers, whether it is paused, all else as text.

    Source: BullMQ 6.7; what should be a number and isn't is ``None`` here.
    """
    public: dict[str, Any] = {"paused": stored.get("paused") == "1"}
    for field, value in stored.items():
        if field in _NUMBERS:
            public[_NUMBERS[field]] = read_number(value)
        elif field != "paused":
            public[field] = value
    return public
