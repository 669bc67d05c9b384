"""Options of an added job: what callers may say, checked once and turned into what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict, cast

import msgspec

from toril.errors import OptionError
from toril.model.backoff import BackoffOption
from toril.model.checks import check_text
from toril.model.dedup import DedupOption
from toril.model.draft import RANKS, STEPS, Draft, OnDuplicate
from toril.model.duration import Duration
from toril.model.keep import KeepOption
from toril.model.parent import FailurePolicy, ParentOption, ParentRef


class TelemetryOption(TypedDict, total=False):
    """What a job carries for tracing."""

    metadata: str
    """Opaque text of the producer's propagator; with OpenTelemetry a JSON object."""

    omit_context: bool
    """Don't let the producer's context travel with the job by itself; default ``False``."""


class AddOptions(TypedDict, total=False):
    """Options of one added job; none is needed. Durations are seconds or timedeltas."""

    attempts: int
    """How often to try in all; default 0, which like 1 means once."""

    backoff: BackoffOption
    """How long to wait between attempts: a ``Backoff``, a duration (always the same), or BullMQ's mapping
    (``{"type", "delay"}``, in milliseconds); default not at all."""

    delay: Duration
    """Run no sooner than so long after ``timestamp``; default at once."""

    at: datetime
    """Run no sooner than at this instant (with a time zone); instead of ``delay``. The past means at once."""

    priority: int
    """1 to 2,097,151, where lower runs earlier; default 0, which runs before all that have one. As in BullMQ,
    negative numbers are not refused: they run after 0 and before 1."""

    lifo: bool
    """Put the job in front of those that wait; default ``False``, at the end."""

    job_id: str
    """An id of your own, unique in the queue; default the next number. Not an integer; no colon, or two."""

    on_duplicate: OnDuplicate
    """When a job of this ``job_id`` exists: ``"ignore"`` (default) the new one and return the old one,
    ``"raise"`` ``DuplicateJob``, or ``"replace"`` the old one unless it is running."""

    remove_on_complete: KeepOption
    """Which completed jobs to keep when this one completes: ``True`` none, ``False`` all, a number so many,
    or a ``Keep``; default what the worker says, and else all."""

    remove_on_fail: KeepOption
    """The same for failed jobs."""

    keep_logs: int
    """How many of the job's log rows to keep, the latest; default all."""

    stack_trace_limit: int
    """How many stack traces to keep, the latest; 0 keeps none; default all."""

    size_limit: int
    """Refuse to add if the payload takes more bytes as JSON; default 0, any size."""

    timestamp: datetime
    """When the job counts as made (with a time zone); default now."""

    parent: ParentOption
    """A job that waits for this one: a job, a ``ParentRef``, or ``{"id", "queue": "prefix:name"}``."""

    deduplication: DedupOption
    """Adds that mean the same job: a ``Dedup`` or BullMQ's mapping (in milliseconds). Not with ``parent``."""

    on_failure: FailurePolicy
    """What becomes of the parent when this job fails for good: ``"fail_parent"``, ``"continue_parent"`` (at
    once, to deal with it), ``"ignore"`` it, or ``"remove"`` it from what the parent waits for; default the
    parent goes on waiting."""

    fail_parent_on_failure: bool
    """BullMQ's way to write ``on_failure="fail_parent"``."""

    continue_parent_on_failure: bool
    """BullMQ's way to write ``on_failure="continue_parent"``."""

    ignore_dependency_on_failure: bool
    """BullMQ's way to write ``on_failure="ignore"``."""

    remove_dependency_on_failure: bool
    """BullMQ's way to write ``on_failure="remove"``."""

    timeout: Duration
    """Stop an attempt that runs longer; default what the worker says, and else never. Node workers don't."""

    soft_timeout: Duration
    """Raise ``SoftTimeout`` in a handler that runs longer, which it may catch; shorter than ``timeout``;
    default what the worker says, and else never. Node workers don't."""

    expires_in: Duration
    """Don't start the job any more so long after ``timestamp`` and its delay: it fails as ``expired``;
    default any time. Node workers run it all the same."""

    telemetry: TelemetryOption
    """What the job carries for tracing."""

    extra: Mapping[str, Any]
    """JSON values that are stored beside the options, under these names, for other programs to read."""


class Resolved(msgspec.Struct, frozen=True):
    """Options that are checked, with what follows from them.

    Attributes:
        job_id: The caller's id; ``None`` for the next number.
        on_duplicate: What to do when the id exists.
        timestamp_ms: When the job counts as made, in ms since 1970.
        delay_ms: Counted from ``timestamp_ms``; 0 is at once.
        priority: 0 is none.
        lifo: To the front of the line.
        stored: The options under BullMQ's stored names.
        parent: The job that waits for this one.
        parent_fields: The hash field ``parent`` of the job; ``None`` without a parent.
        dedup: What is given of ``id``, ``ttl`` (whole ms), ``extend``, ``replace``, ``reschedule`` and
            ``keepLastIfActive``; ``None`` without deduplication.
    """

    job_id: str | None
    on_duplicate: OnDuplicate
    timestamp_ms: int
    delay_ms: int
    priority: int
    lifo: bool
    stored: dict[str, Any]
    parent: ParentRef | None = None
    parent_fields: dict[str, Any] | None = None
    dedup: dict[str, Any] | None = None


def resolve(name: str, options: Mapping[str, object], now_ms: int, data_size: int) -> Resolved:
    """Check the options of a job, and say what is to be stored.

    Args:
        name: The job's name; any text, even an empty one.
        options: As in ``AddOptions``.
        now_ms: When the job is made, unless the options say otherwise; ms since 1970.
        data_size: Bytes of the payload as JSON, for ``size_limit``.

    Raises:
        OptionError: An option is unknown, has a wrong type or range, or excludes another one. Of several
            that are wrong, the first in the order in which BullMQ checks them.
    Source: job options and their checks, BullMQ 6.7.
    """
    check_text(name, "name")
    # Most jobs have no options, and shall not pay for those of others.
    if not options:
        return Resolved(None, "ignore", now_ms, 0, 0, False, {"attempts": 0})
    draft = Draft(name, data_size, now_ms, {"attempts": 0})
    for option in _in_order(options):
        STEPS[option](draft, options[option], option)
    return Resolved(
        draft.job_id,
        draft.on_duplicate,
        draft.timestamp_ms,
        draft.delay_ms,
        draft.priority,
        draft.lifo,
        draft.stored,
        draft.parent,
        draft.parent_fields,
        draft.dedup,
    )


def _in_order(options: Mapping[str, object]) -> Iterable[str]:
    try:
        return sorted(options, key=RANKS.__getitem__)
    except KeyError as error:
        option = str(error.args[0])
        raise OptionError.unknown(option, options[error.args[0]], STEPS) from None


_POLICY_OPTIONS = frozenset(option for option in STEPS if option.endswith("on_failure"))
_RIVALS = (frozenset({"delay", "at"}), _POLICY_OPTIONS)


def merge(defaults: Mapping[str, object], options: Mapping[str, object]) -> dict[str, Any]:
    """The options of a job over those of its queue.

    An option replaces its default, and the defaults that it excludes (``at`` a default ``delay``; one failure
    policy another). ``extra`` is merged name by name.
    """
    merged = dict(defaults)
    for rivals in _RIVALS:
        if not (rivals.isdisjoint(options) or rivals.isdisjoint(defaults)):
            _drop_rivals(merged, options, rivals)
    merged.update(options)
    if "extra" in defaults and "extra" in options:
        merged["extra"] = _merged_extra(defaults["extra"], options["extra"])
    return merged


def _drop_rivals(merged: dict[str, Any], options: Mapping[str, object], rivals: frozenset[str]) -> None:
    # A flag that is only switched off excludes nothing.
    if any(options.get(option, False) is not False for option in rivals):
        for option in rivals & merged.keys():
            del merged[option]


def _merged_extra(default: object, extra: object) -> object:
    if isinstance(default, Mapping) and isinstance(extra, Mapping):
        return {**cast("Mapping[str, object]", default), **cast("Mapping[str, object]", extra)}
    return extra
