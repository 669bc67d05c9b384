"""One field of a cron line: from its text to the numbers that it stands for."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from toril.errors.nearest import nearest

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

_ANY = ("*", "?")
# More digits are a slip of the keyboard, and int() takes its time over thousands of them.
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
# ``THU`` and ``MARCH`` hold an H that is none.
_HASHED = re.compile(r"(?<![A-Za-z])H(?![A-Za-z])")
_NTH = re.compile(r"0*[1-5]", re.ASCII)


class FieldError(Exception):
    """A field is wrong; the text says how, in words that follow its name."""


class Kind(msgspec.Struct, frozen=True):
    """What a field may hold.

    Attributes:
        name: As messages call it.
        least: Smallest number.
        most: Largest number; 7 is allowed as a second name of Sunday.
        names: Names that may stand for numbers, from ``least`` on.
        marks: Which of ``L`` and ``#`` have a meaning here.
    """

    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    marks: str = ""

    @property
    def allowed(self) -> str:
        """What may be written, for messages."""
        named = f" or {self.names[0].upper()}-{self.names[-1].upper()}" if self.names else ""
        marked = {
            "": "",
            "L": ", or L for the last day",
            "L#": ", or such as 5L (last Friday) and 5#2 (second)",
        }
        return f"allowed is {self.least}-{self.most}{named}{marked[self.marks]}"


SECOND = Kind("second", 0, 59)
MINUTE = Kind("minute", 0, 59)
HOUR = Kind("hour", 0, 23)
DAY_OF_MONTH = Kind("day of month", 1, 31, marks="L")
MONTH = Kind("month", 1, 12, _MONTHS)
DAY_OF_WEEK = Kind("day of week", 0, 7, _WEEKDAYS, "L#")

#: In the order in which they are written; a line of five leaves out the first.
KINDS = (SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK)


class Field(msgspec.Struct, frozen=True):
    """A field, understood.

    Attributes:
        values: The numbers, in order; Sunday is 0.
        last: What ``L`` was put behind: weekdays, or 0 alone for the last day of the month.
        nth: The occurrence within the month that ``#`` asks for; 0 is every one.
        is_any: It was ``*`` or ``?``, and so leaves the choice of the day to the other day field.
    """

    values: tuple[int, ...]
    last: tuple[int, ...] = ()
    nth: int = 0
    is_any: bool = False


def parse_field(text: str, kind: Kind) -> Field:
    """What a field says.

    Raises:
        FieldError: It says nothing that can be understood, or the same number twice.
    """
    if text in _ANY:
        return Field(tuple(_normal(range(kind.least, kind.most + 1), kind)), is_any=True)
    if _HASHED.search(text):
        raise FieldError(
            "H is drawn anew for each run in BullMQ, so that nobody knows the next; give a number"
        )
    if "#" in text and "#" in kind.marks:
        return _parse_nth(text, kind)
    return _parse_list(text, kind)


def _parse_nth(text: str, kind: Kind) -> Field:
    day, _, nth = text.partition("#")
    if not _NTH.fullmatch(nth):
        raise FieldError("before # stands one weekday, and after it a number from 1 to 5, such as FRI#2")
    return Field((_number(day, kind) % 7,), nth=int(nth))


def _parse_list(text: str, kind: Kind) -> Field:
    values: list[int] = []
    last: list[int] = []
    for part in text.split(","):
        if part.endswith("L") and "L" in kind.marks:
            day = _last(part[:-1], kind)
            if day in last:
                raise FieldError(f"{part} is there more than once")
            last.append(day)
        else:
            _add(values, _range(part, kind), kind)
    return Field(tuple(sorted(values)), tuple(sorted(last)))


def _last(day: str, kind: Kind) -> int:
    if kind is DAY_OF_WEEK:
        return _number(day, kind) % 7
    if day:
        raise FieldError("L stands alone for the last day of the month")
    return 0


def _add(known: list[int], more: Sequence[int], kind: Kind) -> None:
    """BullMQ refuses a number that is there twice, and with it the line."""
    for number in more:
        if number in known:
            raise FieldError(f"{_shown(number, kind)} is there more than once")
        known.append(number)


def _range(part: str, kind: Kind) -> list[int]:
    span, slash, step = part.partition("/")
    every = _step(step) if slash else 1
    first, dash, end = span.partition("-")
    if span in _ANY:
        low, high = kind.least, kind.most
    elif dash:
        low, high = _number(first, kind), _number(end, kind)
    else:
        low = _number(span, kind)
        high = kind.most if slash else low
    if low > high:
        raise FieldError(f"the range {span} runs backwards; write it as two, separated by a comma")
    return _normal(range(low, high + 1, every), kind)


def _step(text: str) -> int:
    if _NUMBER.fullmatch(text) and int(text) > 0:
        return int(text)
    raise FieldError(f"the step {text!r} must be a whole number above 0")


def _normal(numbers: range, kind: Kind) -> list[int]:
    if kind is not DAY_OF_WEEK:
        return list(numbers)
    return sorted({number % 7 for number in numbers})


def _number(text: str, kind: Kind) -> int:
    number = int(text) if _NUMBER.fullmatch(text) else _named(text, kind)
    if not kind.least <= number <= kind.most:
        raise FieldError(f"{text} is out of range; {kind.allowed}")
    return number


def _named(text: str, kind: Kind) -> int:
    name = text.lower()
    if name in kind.names:
        return kind.names.index(name) + kind.least
    if not text:
        raise FieldError(f"a number is missing; {kind.allowed}")
    near = nearest(name, kind.names)
    hint = f"did you mean {near.upper()}?" if near is not None else kind.allowed
    raise FieldError(f"{text!r} means nothing here; {hint}")


def _shown(number: int, kind: Kind) -> str:
    return kind.names[number - kind.least].upper() if kind.names else str(number)
