"""What both sides have stored of a schedule, so that two stories can be compared."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, cast

from tests.support.database import Database

# Instants in ms, and the scores that are made of them.
_INSTANT = re.compile(r"\b1[789]\d{11}\b")
_SCORE = re.compile(r"\b7\d{15}\b")
_SCORE_STEP = 4096
# What depends on the instant at which somebody asked.
_MOMENTARY = {"delay", "finishedOn", "offset", "processedOn", "timestamp", "version"}


def plain(database: Database, queue: str, first_ms: int, step_ms: int) -> dict[str, Any]:
    """All keys of a queue, with instants counted in steps of the schedule, and other times as "t".

    The marker is left out: idle workers eat it, so whether it is there depends on when they were closed.
    """

    def instant(ms: int) -> str:
        steps, rest = divmod(ms - first_ms, step_ms)
        return "t" if rest else f"#{steps}"

    def text(value: str) -> str:
        value = _SCORE.sub(lambda found: instant(int(found[0]) // _SCORE_STEP), value)
        return _INSTANT.sub(lambda found: instant(int(found[0])), value)

    found: dict[str, Any] = {}
    for key, stored in database.dump().items():
        _, name, rest = key.split(":", 2)
        if name == queue and rest != "marker":
            found[text(rest)] = (stored.kind, _walk(stored.value, text))
    return found


def _walk(value: Any, text: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {text(name): _moment(it) if name in _MOMENTARY else _walk(it, text) for name, it in items}
    if isinstance(value, list):
        return [_walk(it, text) for it in cast("list[Any]", value)]
    if isinstance(value, str) and value.startswith(("{", "[")):
        return _walk(json.loads(value), text)
    return text(str(value))


def _moment(value: Any) -> str:
    return "none" if value in (0, "0") else "some"
