"""From one instant to the next that fits, by the clock on the wall and across its changes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TypeAlias

import msgspec

from toril.model.cron.days import Days
from toril.model.duration import EPOCH

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = timedelta(days=1)

Ymd: TypeAlias = tuple[int, int, int]


class Times(msgspec.Struct, frozen=True):
    """What of a day fits a line.

    Attributes:
        hours: In order, as are the others; none is empty.
    """

    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]

    @property
    def is_hourly(self) -> bool:
        """Whether every hour fits: only such lines run again in an hour that the clock repeats."""
        return len(self.hours) == 24

    def on_or_after(self, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
        """The first time of the day that is not before this one; the second may be 60."""
        if hour in self.hours:
            within = self.within(minute, second)
            if within is not None:
                return hour, *within
        at = bisect_right(self.hours, hour)
        return None if at == len(self.hours) else (self.hours[at], self.minutes[0], self.seconds[0])

    def within(self, minute: int, second: int) -> tuple[int, int] | None:
        """The first minute and second of an hour at or after these."""
        if minute in self.minutes:
            at = bisect_left(self.seconds, second)
            if at < len(self.seconds):
                return minute, self.seconds[at]
        at = bisect_right(self.minutes, minute)
        return None if at == len(self.minutes) else (self.minutes[at], self.seconds[0])


class Walk:
    """The search for one next instant.

    On a day on which the clock is not changed, it computes; else it goes from hour to hour, since what fits
    then depends on the way: an hour reached by skipping others stands in for them, and one that comes twice
    counts once, unless all hours fit. Source: observed behaviour of BullMQ 6.7.
    """

    def __init__(self, days: Days, times: Times, zone: tzinfo) -> None:
        self._days = days
        self._times = times
        self._zone = zone
        # The hour just entered, if it stands in for a skipped one that fits, or has been there before.
        self._stands_in: int | None = None
        self._repeats: int | None = None

    def next(self, after: int) -> int | None:
        """The first instant after this one that fits, in seconds since 1970.

        Raises:
            OverflowError, ValueError: The way leads out of the years 1 to 9999.
        """
        local = datetime.fromtimestamp(after, self._zone)
        while True:
            day = self._days.next(local.year, local.month, local.day)
            if day is None:
                return None
            if day != (local.year, local.month, local.day):
                local = self._start_of(day, late=self._comes_late(local, day))
            find = self._compute if self._is_plain(day) else self._go_through
            found = find(day, local, after)
            if isinstance(found, int):
                return found
            local = found

    def _comes_late(self, local: datetime, day: Ymd) -> bool:
        """Whether, of two midnights of the day, the second is reached.

        It is by a step of a day or a month from a time of day that comes once, but not from a midnight.
        """
        if _day_after((local.year, local.month, local.day)) == day:
            return local.hour > 0
        by_month = day[2] == 1 and not self._days.has_month(local.month)
        is_next = (day[1] - local.month) % 12 == 1
        return by_month and is_next and (local.day > 1 or local.hour > 0)

    def _start_of(self, day: Ymd, *, late: bool) -> datetime:
        """Midnight, or where the clock goes on that skips it."""
        self._stands_in = self._repeats = None
        first = datetime(*day, tzinfo=self._zone)
        if not late:
            return self._local(_seconds(first))
        return self._local(max(_seconds(first), _seconds(first.replace(fold=1))))

    def _is_plain(self, day: Ymd) -> bool:
        """Whether the clock is not changed on it, nor in the hour after, which it may lead into."""
        if self._stands_in is not None or self._repeats is not None:
            return False
        midnight = datetime(*day, tzinfo=self._zone)
        return midnight.utcoffset() == (midnight + _DAY + timedelta(hours=1)).utcoffset()

    def _compute(self, day: Ymd, local: datetime, after: int) -> int | datetime:
        time = self._times.on_or_after(local.hour, local.minute, self._earliest(local, after))
        if time is None:
            return self._start_of(_day_after(day), late=True)
        return _seconds(datetime(*day, *time, tzinfo=self._zone))

    def _earliest(self, local: datetime, after: int) -> int:
        """The second to look from: the instant that all began with does not count."""
        return local.second + (1 if _seconds(local) == after else 0)

    def _go_through(self, day: Ymd, local: datetime, after: int) -> int | datetime:
        """The instant that fits, or where to look on: at a later day, as this one has none left."""
        while (local.year, local.month, local.day) == day:
            if self._fits_hour(local.hour):
                found = self._within(local, after)
                if found is not None:
                    return found
                local = self._leave_hour(local)
            elif local.hour > self._times.hours[-1] and local.hour != self._repeats:
                return self._start_of(_day_after(day), late=True)
            else:
                local = self._reach_hour(local)
        return local

    def _fits_hour(self, hour: int) -> bool:
        if hour == self._repeats:
            return False
        return hour in self._times.hours or hour == self._stands_in

    def _within(self, local: datetime, after: int) -> int | None:
        """What fits in this hour, from here on."""
        time = self._times.within(local.minute, self._earliest(local, after))
        if time is None:
            return None
        there = local.replace(minute=time[0], second=time[1])
        found = _seconds(there)
        return found if found > after else None

    def _leave_hour(self, local: datetime) -> datetime:
        """Where the hour after this one begins to fit, or its first minute if the last of this one fitted."""
        if local.minute == 59 and 59 in self._times.minutes:
            reached = self._local(_seconds(local.replace(second=0)) + _MINUTE)
            return self._enter(local, reached, again=reached.minute == 0)
        later = self._local(_seconds(local) + _HOUR)
        return self._forward(local, later, later.replace(minute=self._times.minutes[0], second=0))

    def _reach_hour(self, local: datetime) -> datetime:
        """The next hour of the line (of a repeated one, just the next), or what the clock shows instead."""
        if local.hour == self._repeats:
            target = local.hour + 1
        else:
            target = next(hour for hour in self._times.hours if hour > local.hour)
        day = local.day
        for _ in range(target - local.hour):
            later = self._local(_seconds(local) + _HOUR)
            local = self._forward(local, later, later.replace(minute=0, second=0))
            if local.day != day:
                # What was skipped belongs to the day before.
                self._stands_in = None
                break
            if local.hour >= target:
                break
        return local

    def _forward(self, local: datetime, later: datetime, wanted: datetime) -> datetime:
        # Where the clock goes back by half an hour, what is wanted may lie before.
        reached = later if _seconds(wanted) <= _seconds(local) else self._local(_seconds(wanted))
        return self._enter(local, reached, again=True)

    def _enter(self, local: datetime, reached: datetime, *, again: bool) -> datetime:
        """Note what is special about the hour reached; ``again`` is whether it can be a repetition."""
        self._stands_in = self._repeats = None
        if not self._times.is_hourly:
            self._note_change(local.hour, reached.hour, again)
        return reached

    def _note_change(self, before: int, hour: int, again: bool) -> None:
        if hour == before and again:
            self._repeats = hour
        ahead = (hour - before) % 24
        # More than that is a step back.
        if 1 < ahead < 12 and any(
            (before + skipped) % 24 in self._times.hours for skipped in range(1, ahead)
        ):
            self._stands_in = hour

    def _local(self, seconds: int) -> datetime:
        return datetime.fromtimestamp(seconds, self._zone)


def _day_after(day: Ymd) -> Ymd:
    later = date(*day) + _DAY
    return later.year, later.month, later.day


def _seconds(local: datetime) -> int:
    """Since 1970; a time that the clock skips counts on from the last before."""
    offset = local.utcoffset() or timedelta()
    since = local.replace(tzinfo=UTC) - offset - EPOCH
    return since.days * 86_400 + since.seconds
