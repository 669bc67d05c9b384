"""The time of a replay, and the times that steps are given."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tests.golden.scenario import Scenario
from tests.golden.tokens import Clock, ControlledClock, WallClock
from tests.golden.values import JSON

_TIME = re.compile(r"<(?P<base>now|T0|t\d+)(?P<offset>[+-]\d+)?>")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Timekeeper:
    """What time it is in a replay: the recorded time of the step, or the time of day.

    Args:
        scenario: What is replayed.
        controlled: Use the recorded times.
    """

    def __init__(self, scenario: Scenario, *, controlled: bool) -> None:
        self._scenario = scenario
        self.controlled = controlled
        self._step = 0
        self._windows: list[tuple[int, int]] = []

    def begin(self, step: int) -> None:
        """A step begins."""
        self._step = step
        now_ms = _wall_ms()
        self._windows[step:] = [(now_ms, now_ms)]

    def end(self) -> None:
        """The step has ended."""
        self._windows[self._step] = (self._windows[self._step][0], _wall_ms())

    def now_ms(self) -> int:
        """ms since the epoch."""
        return self._start_of(self._step) if self.controlled else _wall_ms()

    def _start_of(self, step: int) -> int:
        if self.controlled:
            return self._scenario.t0_ms + self._scenario.steps[step].at_ms
        return self._windows[step][0]

    def clock(self) -> Clock:
        """The clock to compare with."""
        if self.controlled:
            return ControlledClock(self._scenario.t0_ms, [step.at_ms for step in self._scenario.steps])
        return WallClock(self._windows)

    def fill_in(self, value: JSON) -> JSON:
        """The arguments of a step, with times in place of the names of times."""
        if isinstance(value, str):
            whole = _TIME.fullmatch(value)
            return self._ms(whole) if whole else _TIME.sub(lambda found: str(self._ms(found)), value)
        if isinstance(value, list):
            return [self.fill_in(item) for item in value]
        if isinstance(value, dict):
            return self.fill_in_all(value)
        return value

    def fill_in_all(self, values: Mapping[str, JSON]) -> dict[str, JSON]:
        """The same, for named arguments."""
        return {key: self.fill_in(value) for key, value in values.items()}

    def _ms(self, found: re.Match[str]) -> int:
        base, offset = found["base"], int(found["offset"] or 0)
        if base == "now":
            return self.now_ms() + offset
        if base == "T0":
            return self._scenario.t0_ms + offset
        return self._start_of(int(base[1:])) + offset


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def duration(ms: float) -> timedelta:
    """So many ms, as toril takes durations."""
    return timedelta(milliseconds=ms)


def instant(ms: float) -> datetime:
    """So many ms after the epoch, as toril takes instants."""
    return _EPOCH + timedelta(milliseconds=ms)
