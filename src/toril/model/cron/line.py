"""A cron line in a time zone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import tzinfo

from toril.errors import OptionError
from toril.errors.nearest import hint
from toril.model.checks import check_text
from toril.model.cron.days import Days
from toril.model.cron.fields import KINDS, Field, FieldError, parse_field
from toril.model.cron.walk import Times, Walk
from toril.model.cron.zones import find_zone

# Source: BullMQ 6.7.
_NAMED = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
    "@minutely": "0 * * * * *",
    "@secondly": "* * * * * *",
    "@weekdays": "0 0 0 * * 1-5",
    "@weekends": "0 0 0 * * 0,6",
}

# Any does: days are looked for over a century.
_ANY_YEAR = 2000


@dataclass(frozen=True, slots=True)
class Cron:
    """When a cron line fires; made by ``Cron.parse``.

    Attributes:
        line: As it was given.
        tz: Name of the zone as it was given; ``None`` is that of the machine.
    """

    line: str
    tz: str | None
    _days: Days = field(repr=False, compare=False)
    _times: Times = field(repr=False, compare=False)
    _zone: tzinfo = field(repr=False, compare=False)

    @classmethod
    def parse(cls, line: str, tz: str | None = None, option: str = "cron") -> Cron:
        """Understand a cron line.

        Args:
            line: Minute, hour, day of month, month, day of week; a sixth field before them is the second.
                Or one of ``@yearly @annually @monthly @weekly @daily @hourly @minutely @secondly @weekdays
                @weekends``.
            tz: Name of the zone whose clock counts, such as ``Europe/Berlin``, in upper or lower case, or a
                fixed distance such as ``UTC+3``. ``None`` is the machine's own: that of the environment
                variable ``TZ``, else of the system, else UTC.
            option: Name of the option that holds the line, for the error.

        Raises:
            OptionError: The line is wrong or fits no day at all, or there is no such zone.
        """
        text = check_text(line, option)
        second, minute, hour, of_month, month, of_week = _fields(text, option)
        days = Days(of_month, month, of_week)
        if days.next(_ANY_YEAR, 1, 1) is None:
            raise OptionError(option, line, "never fires: no month of it has such a day")
        times = Times(hour.values, minute.values, second.values)
        return cls(text, tz, days, times, find_zone(tz))

    def next_ms(self, after_ms: int) -> int | None:
        """The first instant after this one at which it fires.

        Where the clock is put forward, a time that it skips fires one skip later (02:30 at 03:30), unless
        the clock skips midnight: then it does not fire on that day. Where it is put back, a time that comes
        twice fires the first time only, but for lines on which every hour fits.

        Args:
            after_ms: Milliseconds since 1970.

        Returns:
            Milliseconds since 1970; ``None`` if there is none before the year 10000.
        Source: BullMQ 6.7. In two zones it goes astray: around changes of half an hour (Lord Howe) it may
            find no instant, one that has passed or another time of the night; where the last hour of a day
            is skipped (Nuuk) it may leave out that day. This finds the next instant of the line.
        """
        try:
            found = Walk(self._days, self._times, self._zone).next(after_ms // 1000)
        except (OverflowError, ValueError):
            return None
        return None if found is None else found * 1000


def _fields(line: str, option: str) -> list[Field]:
    texts = _plain(line, option).split()
    if not 5 <= len(texts) <= 6:
        raise OptionError(
            option,
            line,
            f"has {len(texts)} fields; needed are minute, hour, day of month, month and day of week,"
            " and before them the second if you like",
        )
    if len(texts) == 5:
        texts.insert(0, "0")
    fields: list[Field] = []
    for text, kind in zip(texts, KINDS, strict=True):
        try:
            fields.append(parse_field(text, kind))
        except FieldError as error:
            raise OptionError(option, line, f"the {kind.name} {text!r} is wrong: {error}") from None
    return fields


def _plain(line: str, option: str) -> str:
    if not line.strip().startswith("@"):
        return line
    fields = _NAMED.get(line)
    if fields is None:
        problem = f"there is no such named line; {hint(line.strip().lower(), _NAMED)}"
        raise OptionError(option, line, problem)
    return fields
