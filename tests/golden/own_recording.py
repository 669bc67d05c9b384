"""Replays as they would be if all went as recorded: what the tests of the comparison start from."""

from __future__ import annotations

from collections.abc import Mapping

from tests.golden.compare import Replay
from tests.golden.scenario import Scenario
from tests.golden.stored import Database, StoredKey
from tests.golden.tokens import ControlledClock, Token, split
from tests.golden.values import JSON, Args, as_mapping, as_text

_SLOTS_PER_MS = 4096
_FREE_TEXT = "any text"


class OwnRecording:
    """Writes out the tokens of a recording.

    Attributes:
        clock: The clock to compare with.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self.clock = ControlledClock(scenario.t0_ms, [step.at_ms for step in scenario.steps])

    def replay(self) -> Replay:
        """A replay that conforms."""
        return Replay(
            returns=as_mapping(self._value({**self._scenario.returns})),
            snapshots={
                name: self._database(as_mapping(state)) for name, state in self._scenario.snapshots.items()
            },
            state=self._database(self._scenario.state),
        )

    def _database(self, state: Mapping[str, JSON]) -> Database:
        return {self._text(key): self._key(Args(as_mapping(entry))) for key, entry in state.items()}

    def _key(self, entry: Args) -> StoredKey:
        value = entry.get("value")
        if entry.text("type") == "zset":
            value = {member: self._score(score) for member, score in as_mapping(value).items()}
        pttl_ms = -1 if entry.text("ttl") == "none" else entry.integer("ttlMax")
        return StoredKey(entry.text("type"), self._stored(value), pttl_ms)

    def _score(self, score: JSON) -> JSON:
        if not isinstance(score, dict):
            return score
        return str(int(self._text(as_text(score["due"]))) * _SLOTS_PER_MS + Args(score).integer("seq"))

    def _stored(self, value: JSON) -> JSON:
        if isinstance(value, dict):
            return {self._text(key): self._stored(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._stored(item) for item in value]
        return self._text(as_text(value))

    def _value(self, value: JSON) -> JSON:
        """A returned value, where a token may stand for a number."""
        if isinstance(value, dict):
            return {self._text(key): self._value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item) for item in value]
        if not isinstance(value, str):
            return value
        parts, text = split(value), self._text(value)
        is_number = len(parts) == 1 and isinstance(parts[0], Token) and parts[0].kind not in ("uuid", "text")
        return int(text) if is_number else text

    def _text(self, text: str) -> str:
        return "".join(part if isinstance(part, str) else self._token(part) for part in split(text))

    def _token(self, token: Token) -> str:
        if token.is_time:
            return str(self.clock.exact(token))
        if token.kind == "uuid":
            return f"{token.number:08x}-0000-4000-8000-000000000000"
        return str(token.number) if token.kind == "ttl" else _FREE_TEXT
