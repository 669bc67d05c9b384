"""Time zones by name, as BullMQ takes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from toril.errors import OptionError
from toril.errors.nearest import nearest
from toril.model.checks import check_text

_FIXED = re.compile(r"utc([+-])([0-9]{1,2})(?::([0-9]{2}))?", re.ASCII | re.IGNORECASE)
# All that a database may hold besides: other scales of time, and what is no place at all.
_NO_PLACES = ("posix/", "right/", "posixrules", "localtime", "Factory")


class LocalZone(tzinfo):
    """The rules of the machine's own zone: those of ``TZ`` if it is set, else of the system, else UTC.

    ``datetime.astimezone()`` gives the same; this one keeps the rules of the whole year, not one offset.
    """

    def utcoffset(self, dt: datetime | None) -> timedelta:
        offset = None if dt is None else dt.replace(tzinfo=None).astimezone().utcoffset()
        return offset or timedelta()

    def dst(self, _dt: datetime | None, /) -> None:
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        return None if dt is None else dt.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, dt: datetime) -> datetime:
        there = dt.replace(tzinfo=UTC).astimezone()
        local = there.replace(tzinfo=self)
        return local if self.utcoffset(local) == there.utcoffset() else local.replace(fold=1)

    def __repr__(self) -> str:
        return "LocalZone()"


def find_zone(name: object, option: str = "tz") -> tzinfo:
    """The zone of this name; ``None`` is that of the machine.

    Args:
        name: Of the IANA database, in upper or lower case, or a fixed distance such as ``UTC+3``.
        option: Its name, for the error.

    Raises:
        OptionError: There is no such zone.
    """
    if name is None:
        return LocalZone()
    text = check_text(name, option)
    return _known(text) or _fixed(text) or _in_any_case(text, option)


def _known(name: str) -> ZoneInfo | None:
    if name.startswith(_NO_PLACES):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # A folder of the database is no zone, nor is a path that leaves it.
        return None


def _fixed(name: str) -> timezone | None:
    found = _FIXED.fullmatch(name)
    if not found:
        return None
    sign, hours, minutes = found.groups(default="0")
    distance = timedelta(hours=int(hours), minutes=int(minutes))
    if distance >= timedelta(days=1):
        return None
    return timezone(-distance if sign == "-" else distance)


def _in_any_case(name: str, option: str) -> ZoneInfo:
    names = {known.lower(): known for known in available_timezones() if not known.startswith(_NO_PLACES)}
    known = names.get(name.lower())
    if known is not None:
        return ZoneInfo(known)
    if not names:
        raise OptionError(option, name, "this machine has no time zones; pip install tzdata")
    near = nearest(name.lower(), names)
    hint = (
        f"did you mean {names[near]!r}?" if near is not None else "use one such as 'Europe/Berlin' or 'UTC'"
    )
    raise OptionError(option, name, f"there is no such time zone; {hint}")
