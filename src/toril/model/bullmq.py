"""Job options as BullMQ writes them, turned into toril's, so that code and documentation can be pasted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeAlias, cast

from toril.errors import OptionError
from toril.model.backoff import Backoff
from toril.model.checks import check_keyed, check_mapping, check_number, is_number
from toril.model.duration import LAST_MS, MAX_MS, ms_to_datetime
from toril.model.options import AddOptions
from toril.model.time_limits import OWN

_Convert: TypeAlias = Callable[[object, str], object]

_REFUSED = {
    "debounce": "is no longer an option of BullMQ; use deduplication",
    "repeat": "is no option of a job; use a job scheduler",
    "repeatJobKey": "is no option of a job; job schedulers set it",
    "prevMillis": "is no option of a job; job schedulers set it",
}


def from_bullmq(options: Mapping[str, object]) -> AddOptions:
    """Options as ``queue.add`` takes them in BullMQ, as toril takes them.

    Args:
        options: camelCase names, milliseconds (rounded to whole ones), epoch numbers. ``None`` counts as not
            given; an unknown name is stored as it is, as BullMQ does, and comes back in ``extra``.

    Returns:
        What ``add`` takes as keywords. It is checked there.

    Raises:
        OptionError: A time is no number, or out of range; or the option is gone from BullMQ 6
            (``debounce``, ``repeat``).
    """
    converted: dict[str, object] = {}
    extra: dict[str, object] = {}
    for key, value in check_keyed(options, "options").items():
        if key in _REFUSED:
            raise OptionError(key, value, _REFUSED[key])
        if value is None:
            continue
        if key == OWN:
            converted.update(_own(value))
        elif key in _OPTIONS:
            option, convert = _OPTIONS[key]
            converted[option] = convert(value, key) if convert else value
        else:
            extra[key] = value
    if extra:
        converted["extra"] = extra
    return cast("AddOptions", converted)


def _duration(value: object, option: str) -> timedelta:
    return timedelta(milliseconds=check_number(value, option, 0, MAX_MS))


def _instant(value: object, option: str) -> object:
    return ms_to_datetime(round(check_number(value, option, 0, LAST_MS)))


def _backoff(value: object, option: str) -> object:
    """A bare number is a fixed delay; it keeps its fraction of a millisecond."""
    if is_number(value):
        return Backoff("fixed", check_number(value, option, 0, MAX_MS))
    return value


def _own(value: object) -> dict[str, object]:
    """What a job of toril's carries beside the options of BullMQ."""
    given = check_keyed(value, OWN)
    return {option: _duration(given[key], f"{OWN}.{key}") for key, option in _OWN.items() if key in given}


def _telemetry(value: object, option: str) -> dict[str, Any]:
    given = check_mapping(value, option, ("metadata", "omitContext"))
    return {"omit_context" if key == "omitContext" else key: entry for key, entry in given.items()}


_OWN = {"timeout": "timeout", "softTimeout": "soft_timeout", "expiresIn": "expires_in"}

_OPTIONS: dict[str, tuple[str, _Convert | None]] = {
    "attempts": ("attempts", None),
    "backoff": ("backoff", _backoff),
    "delay": ("delay", _duration),
    "priority": ("priority", None),
    "lifo": ("lifo", None),
    "jobId": ("job_id", None),
    "removeOnComplete": ("remove_on_complete", None),
    "removeOnFail": ("remove_on_fail", None),
    "keepLogs": ("keep_logs", None),
    "stackTraceLimit": ("stack_trace_limit", None),
    "sizeLimit": ("size_limit", None),
    "timestamp": ("timestamp", _instant),
    "parent": ("parent", None),
    "deduplication": ("deduplication", None),
    "failParentOnFailure": ("fail_parent_on_failure", None),
    "continueParentOnFailure": ("continue_parent_on_failure", None),
    "ignoreDependencyOnFailure": ("ignore_dependency_on_failure", None),
    "removeDependencyOnFailure": ("remove_dependency_on_failure", None),
    "telemetry": ("telemetry", _telemetry),
}
