"""When a job scheduler runs: what callers may say, what is stored, and when it runs next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, cast

import msgspec

from toril.errors import OptionError
from toril.model.checks import check_bool, check_int, check_text, is_number
from toril.model.duration import LAST_MS, Duration, datetime_to_ms, positive_ms, to_ms

if TYPE_CHECKING:
    from toril.model.cron import Cron

#: What becomes of a run whose time has passed before a worker took it.
Missed: TypeAlias = Literal["once", "skip"]


class ScheduleOptions(TypedDict, total=False):
    """When a job scheduler runs: ``every`` or ``cron``, and what narrows it."""

    every: Duration
    """Time from one run to the next, in seconds or as a timedelta."""

    cron: str
    """A cron line of five fields, or of six with seconds first, or a name such as ``@daily``."""

    pattern: str
    """BullMQ's name for ``cron``."""

    tz: str
    """Time zone of the cron line, such as ``"Europe/Berlin"``; default the local one of who computes it."""

    offset: Duration
    """Phase of ``every``: runs are this much after the multiples of ``every`` since 1970; default that the
    first run is now."""

    start: datetime
    """Run no sooner than at this instant (with a time zone)."""

    end: datetime
    """Add no run after this instant (with a time zone); the last one of an interval may be due later, as in
    BullMQ."""

    limit: int
    """Run so many times in all."""

    count: int
    """So many runs count as done already, for ``limit``; default 0."""

    immediately: bool
    """Run a cron line for the first time now. An interval does so anyway. Not with ``start``."""

    missed: Missed
    """What to do with a run that no worker took before the next one was due: ``"once"`` (default, and what
    BullMQ does) runs it late, ``"skip"`` completes it without running it. Either way the runs between it and
    now are left out. Only workers of toril know ``"skip"``."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When a job scheduler runs, checked.

    Attributes:
        pattern: A cron line, or text that a strategy of the user's understands.
        done: Runs that count as done already.
        cron: The line, read; ``None`` for an interval, and for text that is not a line.
    """

    every_ms: int | None = None
    pattern: str | None = None
    cron: Cron | None = None
    tz: str | None = None
    offset_ms: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    limit: int | None = None
    done: int = 0
    immediately: bool = False
    missed: Missed = "once"

    @classmethod
    def read(cls, options: Mapping[str, object], now_ms: int, *, own_strategy: bool = False) -> Schedule:
        """Check what a caller said.

        Args:
            options: See ``ScheduleOptions``.
            now_ms: The time, in ms since 1970.
            own_strategy: The user has a strategy, so the pattern may be any text.

        Raises:
            OptionError: An option is unknown, has a wrong type or range, or excludes another one.
        Source: job schedulers, BullMQ 6.7.
        """
        given = {option: value for option, value in options.items() if value is not None}
        for option, value in given.items():
            if option not in ScheduleOptions.__annotations__:
                raise OptionError.unknown(option, value, ScheduleOptions.__annotations__)
        schedule = cls(
            every_ms=positive_ms(given["every"], "every") if "every" in given else None,
            pattern=_pattern(given),
            tz=check_text(given["tz"], "tz") if "tz" in given else None,
            # 0 is the phase of a schedule that has none.
            offset_ms=(to_ms(given["offset"], "offset") or None) if "offset" in given else None,
            start_ms=datetime_to_ms(given["start"], "start") if "start" in given else None,
            end_ms=datetime_to_ms(given["end"], "end") if "end" in given else None,
            limit=check_int(given["limit"], "limit", 1) if "limit" in given else None,
            done=check_int(given.get("count", 0), "count"),
            immediately=check_bool(given.get("immediately", False), "immediately"),
            missed=_missed(given.get("missed", "once")),
        )
        _check_together(schedule, given, now_ms)
        if own_strategy and schedule.pattern is not None:
            return schedule
        return schedule.with_cron("cron" if "cron" in given else "pattern")

    @classmethod
    def from_stored(cls, repeat: Mapping[str, Any]) -> Schedule:
        """A schedule from the ``repeat`` option of one of its jobs; what is no number there is left out."""
        return cls(
            every_ms=_whole(repeat.get("every")),
            pattern=repeat["pattern"] if isinstance(repeat.get("pattern"), str) else None,
            tz=repeat["tz"] if isinstance(repeat.get("tz"), str) else None,
            offset_ms=_whole(repeat.get("offset")),
            start_ms=_whole(repeat.get("startDate")),
            end_ms=_whole(repeat.get("endDate")),
            limit=_whole(repeat.get("limit")),
        )

    def with_cron(self, option: str = "pattern") -> Schedule:
        """The same with its cron line read.

        Raises:
            OptionError: The line is wrong or never fires, or there is no such time zone.
        """
        if self.pattern is None and self.tz is None:
            return self
        # Loaded here: most programs have neither cron lines nor time zones.
        from toril.model.cron import Cron
        from toril.model.cron.zones import find_zone

        if self.pattern is None:
            # An interval has no use for its time zone, but a wrong one is a slip all the same.
            find_zone(self.tz, "tz")
            return self
        return msgspec.structs.replace(self, cron=Cron.parse(self.pattern, self.tz, option))

    def stored(self, count: int) -> dict[str, Any]:
        """The ``repeat`` option of the job that is the ``count``-th of this schedule."""
        values = {
            "every": self.every_ms,
            "pattern": self.pattern,
            "tz": self.tz,
            "offset": self.offset_ms if self.every_ms is not None else None,
            "startDate": self.start_ms,
            "endDate": self.end_ms,
            "limit": self.limit,
            "count": count,
        }
        return {name: value for name, value in values.items() if value is not None}

    def terms(self) -> dict[str, Any]:
        """What the script that makes a scheduler wants to know of its schedule."""
        values = {
            "every": self.every_ms,
            "pattern": self.pattern,
            "tz": self.tz,
            "offset": self.offset_ms,
            "start": self.start_ms,
            "end_": self.end_ms,
            "limit": self.limit,
        }
        return {name: value for name, value in values.items() if value is not None}

    def is_over(self, count: int, now_ms: int) -> bool:
        """Whether there is no ``count``-th run any more."""
        return (self.limit is not None and count > self.limit) or (
            self.end_ms is not None and now_ms > self.end_ms
        )

    def next_match_ms(self, now_ms: int, previous_ms: int = 0) -> int | None:
        """When the cron line fires next.

        Args:
            now_ms: The time.
            previous_ms: When the job that comes before was due.
        """
        assert self.cron is not None
        if self.immediately:
            return now_ms
        return self.bounded_ms(self.cron.next_ms(self.after_ms(now_ms, previous_ms)), now_ms)

    def after_ms(self, now_ms: int, previous_ms: int) -> int:
        """The instant after which the next run comes."""
        return max(now_ms, previous_ms, self.start_ms or 0)

    def bounded_ms(self, match_ms: int | None, now_ms: int) -> int | None:
        """A time that was found, if it is not after the end; not before now."""
        if match_ms is None or (self.end_ms is not None and match_ms > self.end_ms):
            return None
        return max(match_ms, now_ms)

    def following_ms(self, due_ms: int) -> int | None:
        """When the run after that of ``due_ms`` would be due."""
        if self.every_ms is not None:
            return due_ms + self.every_ms
        return self.cron.next_ms(due_ms) if self.cron is not None else None


def check_scheduler_id(value: object) -> str:
    """The id of a scheduler: not empty, and without colons, which separate the parts of its keys.

    Raises:
        OptionError: It is something else.
    """
    text = check_text(value, "id")
    if not text:
        raise OptionError("id", value, "a job scheduler needs an id")
    if ":" in text:
        raise OptionError("id", value, "must not hold ':', which separates the parts of its keys")
    return text


def _pattern(given: Mapping[str, object]) -> str | None:
    if "cron" in given and "pattern" in given:
        raise OptionError("pattern", given["pattern"], "is another name of cron; give one of them")
    value = given.get("cron", given.get("pattern"))
    return check_text(value, "cron") if value is not None else None


def _missed(value: object) -> Missed:
    if value not in ("once", "skip"):
        raise OptionError("missed", value, "must be 'once' or 'skip'")
    return value


def _check_together(schedule: Schedule, given: Mapping[str, object], now_ms: int) -> None:
    if schedule.every_ms is not None and schedule.pattern is not None:
        raise OptionError("cron", schedule.pattern, "can't be used together with every")
    if schedule.every_ms is None and schedule.pattern is None:
        raise OptionError("every", None, "a job scheduler needs every or cron")
    if schedule.every_ms is not None:
        _check_reach(schedule, given, now_ms)
    if schedule.immediately and schedule.start_ms is not None:
        raise OptionError("immediately", True, "can't be used together with start")
    if schedule.end_ms is not None and schedule.end_ms <= now_ms:
        raise OptionError("end", given["end"], "must be after now")
    if schedule.end_ms is not None and schedule.start_ms is not None and schedule.end_ms < schedule.start_ms:
        raise OptionError("end", given["end"], "must not be before start")


def _check_reach(schedule: Schedule, given: Mapping[str, object], now_ms: int) -> None:
    if max(now_ms, schedule.start_ms or 0) + (schedule.every_ms or 0) > LAST_MS:
        raise OptionError("every", given["every"], "is too long; its second run would be after the year 9999")


def _whole(value: object) -> int | None:
    return int(cast("float", value)) if is_number(value) else None
