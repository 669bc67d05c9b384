"""Tokens in recorded texts, and the clocks that say which times they stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

Kind = Literal["step", "epoch", "uuid", "ttl", "text"]

_TOKEN = re.compile(
    r"<(?:(?P<time>t\d+|T0)(?P<offset>[+-]\d+)?|(?P<kind>uuid|ttl):(?P<number>\d+)|version|stack|any)>"
)

# Two clock readings around a step are not those that the library took in it.
_WINDOW_SLACK_MS = 2


@dataclass(frozen=True, slots=True)
class Token:
    """A part of a recorded text that differs from run to run.

    Attributes:
        kind: ``step`` is the time of a step, ``epoch`` of the recording's start, ``text`` is any text.
        number: Index of the step, number of the UUID, or the most ms left of a time to live.
        offset: To be added to a time, in ms.
    """

    kind: Kind
    number: int = 0
    offset: int = 0

    @property
    def is_time(self) -> bool:
        """Whether it stands for an instant."""
        return self.kind in ("step", "epoch")


@lru_cache(maxsize=4096)
def split(text: str) -> tuple[str | Token, ...]:
    """A recorded text as its plain parts and its tokens."""
    parts: list[str | Token] = []
    end = 0
    for found in _TOKEN.finditer(text):
        parts += (text[end : found.start()], _token(found))
        end = found.end()
    parts.append(text[end:])
    return tuple(part for part in parts if part != "")


def has_token(text: str) -> bool:
    """Whether there is a token in the text."""
    return "<" in text and _TOKEN.search(text) is not None


def _token(found: re.Match[str]) -> Token:
    time, offset = found["time"], int(found["offset"] or 0)
    if time == "T0":
        return Token("epoch", 0, offset)
    if time:
        return Token("step", int(time[1:]), offset)
    if found["kind"]:
        return Token("uuid" if found["kind"] == "uuid" else "ttl", int(found["number"]))
    return Token("text")


class Clock(Protocol):
    """What is known of the time of each step."""

    @property
    def delay_slack_ms(self) -> int:
        """By how much a stored delay may be off."""
        ...

    def exact(self, token: Token) -> int | None:
        """The one ms that a time token stands for; ``None`` if there is no such one."""
        ...

    def accepts(self, token: Token, ms: int) -> bool:
        """Whether a time token may stand for this ms."""
        ...


@dataclass(frozen=True, slots=True)
class ControlledClock:
    """The steps were given their time, so each token is one ms.

    Attributes:
        t0: Start of the recording, in ms since the epoch.
        at: Of each step, the ms after ``t0``.
    """

    t0: int
    at: Sequence[int]
    delay_slack_ms: int = 0

    def exact(self, token: Token) -> int:
        """The ms of this token."""
        start = self.at[token.number] if token.kind == "step" else 0
        return self.t0 + start + token.offset

    def accepts(self, token: Token, ms: int) -> bool:
        """Whether it is this ms."""
        return self.exact(token) == ms


@dataclass(frozen=True, slots=True)
class WallClock:
    """The steps took the time of day: a token is any ms of its step.

    Attributes:
        windows: Of each step, when it began and when it ended, in ms since the epoch.
    """

    windows: Sequence[tuple[int, int]]
    delay_slack_ms: int = 50

    def exact(self, token: Token) -> None:
        """There is no one ms."""

    def accepts(self, token: Token, ms: int) -> bool:
        """Whether the ms is in the window of the step.

        Raises:
            ValueError: The token is an absolute time, which has no meaning with this clock.
        """
        if token.kind != "step":
            raise ValueError("a scenario with absolute times needs a controlled clock")
        begin, end = self.windows[token.number]
        return begin - _WINDOW_SLACK_MS <= ms - token.offset <= end + _WINDOW_SLACK_MS
