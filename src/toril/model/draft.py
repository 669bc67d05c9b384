"""A job in the making: what each option adds to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, cast

import msgspec

from toril.errors import OptionError
from toril.model.backoff import parse_stored
from toril.model.checks import check_bool, check_int, check_mapping, check_text
from toril.model.dedup import parse_dedup
from toril.model.duration import datetime_to_ms, positive_ms, to_ms
from toril.model.keep import parse_keep
from toril.model.names import check_job_id
from toril.model.parent import POLICY_CODES, ParentRef, parent_fields, parse_parent
from toril.model.time_limits import OWN, check_order

#: The largest priority number; with a larger one the order of jobs would no longer fit a double.
#: Source: BullMQ 6.7.
MAX_PRIORITY = 2**21 - 1

#: What to do when a job of the given id exists.
OnDuplicate: TypeAlias = Literal["ignore", "raise", "replace"]


class Draft(msgspec.Struct):
    """What the options given so far make of a job."""

    name: str
    data_size: int
    timestamp_ms: int
    stored: dict[str, Any]
    job_id: str | None = None
    on_duplicate: OnDuplicate = "ignore"
    delay_ms: int = 0
    priority: int = 0
    lifo: bool = False
    policy: str = ""
    parent: ParentRef | None = None
    parent_fields: dict[str, Any] | None = None
    dedup: dict[str, Any] | None = None


#: Checks one option's value and adds it to the draft.
Step: TypeAlias = Callable[[Draft, object, str], None]


def _whole(key: str) -> Step:
    def step(draft: Draft, value: object, option: str) -> None:
        draft.stored[key] = check_int(value, option)

    return step


def _kept(key: str) -> Step:
    def step(draft: Draft, value: object, option: str) -> None:
        draft.stored[key] = parse_keep(value, option)

    return step


def _size_limit(draft: Draft, value: object, option: str) -> None:
    limit = draft.stored["sizeLimit"] = check_int(value, option)
    if limit and draft.data_size > limit:
        raise OptionError(option, limit, f"the data of job {draft.name!r} takes {draft.data_size} bytes")


def _policy_flag(policy: str) -> Step:
    code = POLICY_CODES[policy]

    def step(draft: Draft, value: object, option: str) -> None:
        draft.stored[code] = check_bool(value, option)
        if value:
            _claim_policy(draft, value, option)

    return step


def _on_failure(draft: Draft, value: object, option: str) -> None:
    if not isinstance(value, str) or value not in POLICY_CODES:
        raise OptionError(option, value, f"must be one of {', '.join(map(repr, POLICY_CODES))}")
    _claim_policy(draft, value, option)
    draft.stored[POLICY_CODES[value]] = True


def _claim_policy(draft: Draft, value: object, option: str) -> None:
    if draft.policy:
        raise OptionError(option, value, f"can't be used together with {draft.policy}")
    draft.policy = option


def _job_id(draft: Draft, value: object, option: str) -> None:
    draft.job_id = check_job_id(value, option)
    draft.stored["jobId"] = value


def _priority(draft: Draft, value: object, option: str) -> None:
    draft.priority = draft.stored["priority"] = check_int(value, option, -MAX_PRIORITY, MAX_PRIORITY)


def _parent(draft: Draft, value: object, option: str) -> None:
    parent = draft.parent = parse_parent(value, option)
    draft.parent_fields = parent_fields(parent, draft.stored)
    draft.stored["parent"] = {"id": parent.id, "queue": parent.queue}


def _deduplication(draft: Draft, value: object, option: str) -> None:
    draft.dedup = draft.stored["de"] = parse_dedup(value, option)
    if draft.parent is not None:
        raise OptionError(option, value, "can't be used together with parent")


def _backoff(draft: Draft, value: object, option: str) -> None:
    draft.stored["backoff"] = parse_stored(value, option)


def _timestamp(draft: Draft, value: object, option: str) -> None:
    ms = datetime_to_ms(value, option)
    if ms < 0:
        raise OptionError(option, value, "must not be before 1970")
    draft.timestamp_ms = draft.stored["timestamp"] = ms


def _delay(draft: Draft, value: object, option: str) -> None:
    draft.delay_ms = draft.stored["delay"] = to_ms(value, option)


def _at(draft: Draft, value: object, option: str) -> None:
    if "delay" in draft.stored:
        raise OptionError(option, value, "can't be used together with delay")
    delay_ms = datetime_to_ms(value, option) - draft.timestamp_ms
    if delay_ms > 0:
        draft.delay_ms = draft.stored["delay"] = delay_ms


def _lifo(draft: Draft, value: object, option: str) -> None:
    draft.lifo = draft.stored["lifo"] = check_bool(value, option)


def _on_duplicate(draft: Draft, value: object, option: str) -> None:
    if not isinstance(value, str) or value not in ("ignore", "raise", "replace"):
        raise OptionError(option, value, "must be 'ignore', 'raise' or 'replace'")
    draft.on_duplicate = value


def _own_ms(key: str) -> Step:
    def step(draft: Draft, value: object, option: str) -> None:
        own = draft.stored.setdefault(OWN, {})
        own[key] = positive_ms(value, option)
        check_order(own.get("timeout"), own.get("softTimeout"), "soft_timeout", value)

    return step


def _telemetry(draft: Draft, value: object, option: str) -> None:
    given = check_mapping(value, option, ("metadata", "omit_context"))
    if "metadata" in given:
        draft.stored["tm"] = check_text(given["metadata"], f"{option}.metadata")
    if "omit_context" in given:
        draft.stored["omc"] = check_bool(given["omit_context"], f"{option}.omit_context")


def _extra(draft: Draft, value: object, option: str) -> None:
    if not isinstance(value, Mapping):
        raise OptionError(option, value, "must be a mapping")
    for key, entry in cast("Mapping[object, object]", value).items():
        if check_text(key, option) in _TAKEN:
            raise OptionError(
                f"{option}.{key}", entry, "has a meaning of its own; it must be an option, or absent"
            )
        draft.stored[cast("str", key)] = entry


#: What each option does, in the order in which BullMQ checks, and each after those it depends on.
STEPS: dict[str, Step] = {
    "size_limit": _size_limit,
    "remove_dependency_on_failure": _policy_flag("remove"),
    "fail_parent_on_failure": _policy_flag("fail_parent"),
    "continue_parent_on_failure": _policy_flag("continue_parent"),
    "ignore_dependency_on_failure": _policy_flag("ignore"),
    "on_failure": _on_failure,
    "job_id": _job_id,
    "priority": _priority,
    "parent": _parent,
    "deduplication": _deduplication,
    "backoff": _backoff,
    "attempts": _whole("attempts"),
    "timestamp": _timestamp,
    "delay": _delay,
    "at": _at,
    "lifo": _lifo,
    "on_duplicate": _on_duplicate,
    "remove_on_complete": _kept("removeOnComplete"),
    "remove_on_fail": _kept("removeOnFail"),
    "keep_logs": _whole("kl"),
    "stack_trace_limit": _whole("stackTraceLimit"),
    "timeout": _own_ms("timeout"),
    "soft_timeout": _own_ms("softTimeout"),
    "expires_in": _own_ms("expiresIn"),
    "telemetry": _telemetry,
    "extra": _extra,
}

#: The place of each option in that order.
RANKS = {option: rank for rank, option in enumerate(STEPS)}

# Names with a meaning in the stored options, or in BullMQ's; and ours, as a likely slip.
_TAKEN = frozenset(
    {
        *STEPS,
        *POLICY_CODES.values(),
        *("jobId", "sizeLimit", "stackTraceLimit", "removeOnComplete", "removeOnFail", "keepLogs", "kl"),
        *(OWN, "de", "debounce", "tm", "omc", "repeat", "repeatJobKey", "prevMillis"),
        *("failParentOnFailure", "continueParentOnFailure"),
        *("ignoreDependencyOnFailure", "removeDependencyOnFailure"),
    }
)
