"""Which days a cron line fires on, whatever the clock says."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, field

from toril.model.cron.fields import Field

# A fifth Monday in February comes after 40 years at the latest, where a leap year is left out. The days of a
# line that finds none for so long are on no calendar.
_MOST_MONTHS = 12 * 100

_LAST_YEAR = 9999


@dataclass(frozen=True, slots=True)
class Days:
    """The days that fit the three day fields of a line.

    A set of days of a month is a number whose bit ``n`` stands for day ``n``.

    Attributes:
        of_month: Days of the month.
        months: Months.
        of_week: Weekdays. Where neither this nor ``of_month`` is ``*`` or ``?``, one of the two suffices.
    """

    of_month: Field
    months: Field
    of_week: Field
    _fixed: int = field(init=False)
    _weekly: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_fixed", sum(1 << day for day in self.of_month.values))
        object.__setattr__(self, "_weekly", tuple(self._weekdays_of(first) for first in range(7)))

    def _weekdays_of(self, first: int) -> int:
        """Days 1 to 31 that fit the weekdays, in a month whose day 1 is this weekday (Sunday is 0)."""
        nth = self.of_week.nth
        days = range(1, 32) if nth == 0 else range(nth * 7 - 6, nth * 7 + 1)
        return sum(1 << day for day in days if (first + day - 1) % 7 in self.of_week.values)

    def has_month(self, month: int) -> bool:
        """Whether the line fires in this month."""
        return month in self.months.values

    def next(self, year: int, month: int, day: int) -> tuple[int, int, int] | None:
        """The first day that fits, this one included; ``None`` if there is none before the year 10000.

        Args:
            day: May be one more than the month has.
        """
        for _ in range(_MOST_MONTHS):
            if self.has_month(month):
                left = self._of(year, month) >> day
                if left:
                    return year, month, day + (left & -left).bit_length() - 1
            day = 1
            month += 1
            if month > 12:
                year, month = year + 1, 1
                if year > _LAST_YEAR:
                    return None
        return None

    def _of(self, year: int, month: int) -> int:
        # The calendar's weeks begin on Monday.
        monday_based, length = monthrange(year, month)
        first = (monday_based + 1) % 7
        if self.of_month.is_any:
            days = self._by_week(first, length)
        elif self.of_week.is_any:
            days = self._by_date(length)
        else:
            days = self._by_date(length) | self._by_week(first, length)
        return days & ((2 << length) - 1)

    def _by_date(self, length: int) -> int:
        return self._fixed | (1 << length if self.of_month.last else 0)

    def _by_week(self, first: int, length: int) -> int:
        days = self._weekly[first]
        for weekday in self.of_week.last:
            last = (first + length - 1) % 7
            days |= 1 << (length - (last - weekday) % 7)
        return days
