"""Single recorded texts against real ones."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.golden.tokens import Clock, Token, has_token, split
from tests.golden.values import JSON, parse, same

# Fields that hold JSON, where blanks and the order of keys mean nothing.
_JSON_FIELDS = frozenset({"data", "opts", "parent", "pd", "progress", "returnvalue", "stacktrace"})

_HEX = "[0-9a-f]"
_PATTERNS = {
    "step": r"\d{12,14}",
    "epoch": r"\d{12,14}",
    "uuid": f"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}",
    "ttl": r"\d+",
    "text": r"[\s\S]*",
}

# A time to live goes down between the write and the look: a short one to anything above nothing.
_TTL_SLACK_MS = 2000


def ttl_fits(most_ms: int, ms: int) -> bool:
    """Whether a time to live may once have been set to ``most_ms``."""
    return max(0, most_ms - _TTL_SLACK_MS) < ms <= most_ms


class Matcher:
    """Tells whether texts fit what was recorded; remembers which UUID is which."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._uuids: dict[int, str] = {}

    def text_fits(self, expected: str, actual: str) -> bool:
        """Whether the text is the recorded one, but for tokens."""
        if not has_token(expected):
            return expected == actual
        open_tokens: list[Token] = []
        pattern = ""
        for part in split(expected):
            known = self._known(part)
            if isinstance(part, Token) and known is None:
                open_tokens.append(part)
                pattern += f"({_PATTERNS[part.kind]})"
            else:
                pattern += re.escape(known or "")
        found = re.fullmatch(pattern, actual)
        return found is not None and self._all_fit(open_tokens, found.groups())

    def first_fit(self, expected: str, candidates: Iterable[str]) -> str | None:
        """The first text that fits, if any does."""
        return next((text for text in candidates if self.text_fits(expected, text)), None)

    def _known(self, part: str | Token) -> str | None:
        """The part as it must be found; ``None`` for a token that may be several texts."""
        if isinstance(part, str):
            return part
        if part.is_time:
            ms = self._clock.exact(part)
            return None if ms is None else str(ms)
        return self._uuids.get(part.number) if part.kind == "uuid" else None

    def _all_fit(self, tokens: Iterable[Token], texts: Iterable[str]) -> bool:
        uuids: dict[int, str] = {}
        for token, text in zip(tokens, texts, strict=True):
            if token.kind == "uuid":
                fits = uuids.setdefault(token.number, text) == text
            elif token.kind == "ttl":
                fits = ttl_fits(token.number, int(text))
            else:
                fits = not token.is_time or self._clock.accepts(token, int(text))
            if not fits:
                return False
        self._uuids |= uuids
        return True

    def field_fits(self, field: str, expected: str, actual: str, *, is_json: bool = False) -> bool:
        """Whether a stored field fits, by the rules of its name.

        Args:
            is_json: The field holds JSON whatever its name.
        """
        if field == "stacktrace":
            return self._stacks_fit(expected, actual)
        if self.text_fits(expected, actual):
            return True
        if is_json or field in _JSON_FIELDS:
            return self._json_fits(expected, actual)
        return field == "delay" and self._delay_fits(expected, actual)

    def _json_fits(self, expected: str, actual: str) -> bool:
        known = [self._known(part) for part in split(expected)]
        if None in known:
            return False
        left, right = _parsed("".join(part or "" for part in known)), _parsed(actual)
        return left is not None and right is not None and same(left[0], right[0])

    def _stacks_fit(self, expected: str, actual: str) -> bool:
        """Each language has its own stack traces; how many there are must agree."""
        left, right = _parsed(expected), _parsed(actual)
        if left is None or right is None or not isinstance(left[0], list) or not isinstance(right[0], list):
            return self.text_fits(expected, actual)
        return len(left[0]) == len(right[0]) and all(map(self._entry_fits, left[0], right[0]))

    def _entry_fits(self, expected: JSON, actual: JSON) -> bool:
        if isinstance(expected, str) and isinstance(actual, str):
            return self.text_fits(expected, actual)
        return same(expected, actual)

    def _delay_fits(self, expected: str, actual: str) -> bool:
        if not (expected.isdecimal() and actual.isdecimal()):
            return False
        return abs(int(expected) - int(actual)) <= self._clock.delay_slack_ms


def _parsed(text: str) -> tuple[JSON] | None:
    """The value of a JSON text, in a tuple because it may be null; ``None`` if it is no JSON."""
    try:
        return (parse(text),)
    except ValueError:
        return None
