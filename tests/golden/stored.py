"""A recorded database against a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tests.golden.differences import Differences
from tests.golden.matching import Matcher, ttl_fits
from tests.golden.tokens import has_token
from tests.golden.values import JSON, Args, as_list, as_mapping, as_text

# A delayed job's score is its due time in ms, shifted by 12 bits for the order within the ms.
_SLOTS_PER_MS = 4096


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key of a real database.

    Attributes:
        type: As the server names it.
        value: A text, a list of texts (also for sets), texts by field or member, or a list of entries.
        pttl_ms: ms left to live; -1 if there is no end.
    """

    type: str
    value: JSON
    pttl_ms: int = -1


Entry = dict[str, JSON]
Database = dict[str, StoredKey]


class StateComparison:
    """Compares databases; what differs goes to ``differences``."""

    def __init__(self, matcher: Matcher, differences: Differences, loose_events: Iterable[str]) -> None:
        self._matcher = matcher
        self._differences = differences
        self._loose_events = frozenset(loose_events)
        self._by_type: dict[str, Callable[[str, str, JSON, JSON], None]] = {
            "string": self._string,
            "list": self._list,
            "set": self._set,
            "hash": self._hash,
            "zset": self._zset,
            "stream": self._stream,
        }

    def compare(self, where: str, expected: Mapping[str, JSON], actual: Database) -> None:
        """Compare all keys."""
        for recorded, found in self._pairs(f"{where} keys", list(expected), list(actual)):
            self._key(f"{where} {recorded}", found, Args(as_mapping(expected[recorded])), actual[found])

    def _key(self, where: str, key: str, expected: Args, actual: StoredKey) -> None:
        kind = expected.text("type")
        if kind != actual.type:
            self._differences.add(f"{where} type", kind, actual.type)
            return
        self._ttl(f"{where} ttl", expected, actual.pttl_ms)
        self._by_type[kind](where, key, expected.get("value"), actual.value)

    def _ttl(self, where: str, expected: Args, pttl_ms: int) -> None:
        if expected.text("ttl") == "none":
            if pttl_ms != -1:
                self._differences.add(where, "none", pttl_ms)
        elif not ttl_fits(expected.integer("ttlMax"), pttl_ms):
            self._differences.add(where, f"about {expected.integer('ttlMax')} ms", pttl_ms)

    def _string(self, where: str, key: str, expected: JSON, actual: JSON) -> None:
        self._text(where, as_text(expected), as_text(actual))

    def _list(self, where: str, key: str, expected: JSON, actual: JSON) -> None:
        left, right = as_list(expected), as_list(actual)
        if len(left) != len(right):
            self._differences.add(where, left, right)
            return
        for index, (recorded, found) in enumerate(zip(left, right, strict=True)):
            self._text(f"{where}[{index}]", as_text(recorded), as_text(found))

    def _set(self, where: str, key: str, expected: JSON, actual: JSON) -> None:
        members = [as_text(member) for member in as_list(expected)]
        self._pairs(f"{where} members", members, [as_text(member) for member in as_list(actual)])

    def _hash(self, where: str, key: str, expected: JSON, actual: JSON) -> None:
        left, right = as_mapping(expected), as_mapping(actual)
        is_json = key.endswith(":processed")
        for recorded, found in self._pairs(f"{where} fields", list(left), list(right)):
            want, have = as_text(left[recorded]), as_text(right[found])
            if not self._matcher.field_fits(recorded, want, have, is_json=is_json):
                self._differences.add(f"{where}.{recorded}", want, have)

    def _zset(self, where: str, key: str, expected: JSON, actual: JSON) -> None:
        left, right = as_mapping(expected), as_mapping(actual)
        for recorded, found in self._pairs(f"{where} members", list(left), list(right)):
            want, score = left[recorded], as_text(right[found])
            if isinstance(want, dict):
                self._due(f"{where}.{recorded}", Args(want), score)
            else:
                self._text(f"{where}.{recorded}", as_text(want), score)

    def _due(self, where: str, expected: Args, score: str) -> None:
        due, slot = divmod(_whole(score), _SLOTS_PER_MS)
        want_due, want_slot = expected.text("due"), expected.integer("seq")
        if slot != want_slot or not self._matcher.text_fits(want_due, str(due)):
            self._differences.add(where, f"{want_due} slot {want_slot}", f"{due} slot {slot}")

    def _stream(self, where: str, key: str, expected: JSON, actual: JSON) -> None:
        left = [as_mapping(entry) for entry in as_list(expected)]
        right = [as_mapping(entry) for entry in as_list(actual)]
        if len(left) != len(right):
            self._differences.add(where, left, right)
        elif key in self._loose_events:
            self._entries_in_any_order(where, left, right)
        else:
            for index, (recorded, found) in enumerate(zip(left, right, strict=True)):
                self._entry(f"{where}[{index}]", recorded, found)

    def _entry(self, where: str, expected: Entry, actual: Entry) -> None:
        if expected.keys() != actual.keys():
            self._differences.add(where, expected, actual)
            return
        for field, want in expected.items():
            if not self._matcher.field_fits(field, as_text(want), as_text(actual[field])):
                self._differences.add(f"{where}.{field}", want, actual[field])

    def _entries_in_any_order(self, where: str, expected: list[Entry], actual: list[Entry]) -> None:
        left = list(actual)
        for recorded in expected:
            found = next((entry for entry in left if self._entry_fits(recorded, entry)), None)
            if found is None:
                self._differences.add(where, recorded, "nothing like it")
            else:
                left.remove(found)

    def _entry_fits(self, expected: Entry, actual: Entry) -> bool:
        if expected.keys() != actual.keys():
            return False
        fits = self._matcher.field_fits
        return all(fits(field, as_text(want), as_text(actual[field])) for field, want in expected.items())

    def _text(self, where: str, expected: str, actual: str) -> None:
        if not self._matcher.text_fits(expected, actual):
            self._differences.add(where, expected, actual)

    def _pairs(self, where: str, expected: list[str], actual: list[str]) -> list[tuple[str, str]]:
        """What belongs together of two unordered collections; what is left over is a difference."""
        left = list(actual)
        pairs: list[tuple[str, str]] = []
        # Plain names first: a token may fit several, and must not take what belongs to another.
        for recorded in sorted(expected, key=has_token):
            found = self._matcher.first_fit(recorded, left)
            if found is None:
                self._differences.add(where, recorded, "nothing")
            else:
                left.remove(found)
                pairs.append((recorded, found))
        for text in left:
            self._differences.add(where, "nothing", text)
        return pairs


def _whole(score: str) -> int:
    """A score; large ones may be written with an exponent."""
    return int(score) if score.isdecimal() else int(float(score))
