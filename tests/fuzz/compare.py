"""Two databases, or two answers, that should be the same."""

from __future__ import annotations

import json

from tests.golden.returned import UNRECOVERABLE
from tests.golden.values import JSON, as_mapping, same
from tests.support.database import Dump, Stored

#: ms by which two lives of a key may differ: they were written one after the other, on a busy machine.
_TTL_SLACK_MS = 5_000

_JSON_FIELDS = frozenset({"data", "opts", "parent", "pd", "progress", "returnvalue"})
# Answers of these are, or hold, what is left of a key's life, by the server's clock.
_LIVES = frozenset({"rateLimitDelay", "queue.getRateLimitTtl", "job.moveToWait"})
_COUNTED = frozenset({"errors", "stacktrace"})
# Of a job that existed, BullMQ answers the name that it was called with here, and toril the one that it has.
_NAMELESS = frozenset({"flow.add", "flow.addBulk"})
# What each job has, unless somebody deleted it.
_ALWAYS_THERE = frozenset({"name", "delay", "priority", "timestamp"})
_NOTHING = "nothing"


def states_differ(node: Dump, toril: Dump) -> list[str]:
    """What two databases differ in, a line each."""
    lines: list[str] = []
    for key in sorted(node.keys() | toril.keys()):
        left, right = node.get(key), toril.get(key)
        if left is None or right is None:
            lines.append(f"{key}: node {_shown(left)}, toril {_shown(right)}")
        elif not _lives_alike(left.ttl_ms, right.ttl_ms):
            lines.append(f"{key} lives: node {left.ttl_ms} ms, toril {right.ttl_ms} ms")
        elif left[:2] != right[:2] and not same(plain(key, left), plain(key, right)):
            lines += _parts_differ(key, plain(key, left), plain(key, right))
    return lines


def _shown(stored: Stored | None) -> str:
    return "nothing" if stored is None else f"{stored.kind} {stored.value}"


def _lives_alike(left_ms: int, right_ms: int) -> bool:
    return left_ms == right_ms or (left_ms > 0 and right_ms > 0 and abs(left_ms - right_ms) < _TTL_SLACK_MS)


def _parts_differ(key: str, node: JSON, toril: JSON) -> list[str]:
    """Only what differs, where the value has names."""
    if isinstance(node, dict) and isinstance(toril, dict):
        return [
            f"{key}.{name}: node {node.get(name, _NOTHING)!r}, toril {toril.get(name, _NOTHING)!r}"
            for name in sorted(node.keys() | toril.keys())
            if not (name in node and name in toril and same(node[name], toril[name]))
        ]
    return [f"{key}:\n    node  {node}\n    toril {toril}"]


def plain(key: str, stored: Stored) -> JSON:
    """A value without what is each library's own: the form of JSON, stack traces, the name in ``meta``."""
    match stored.kind:
        case "hash":
            all_json = key.endswith(":processed")
            return {
                field: _field(field, text, is_json=all_json)
                for field, text in stored.value.items()
                if not (field == "version" and key.endswith(":meta"))
            }
        case "stream":
            return [{field: _field(field, text) for field, text in entry.items()} for entry in stored.value]
        case kind:
            return {"type": kind, "value": stored.value}


def _field(field: str, text: str, *, is_json: bool = False) -> JSON:
    if field == "stacktrace":
        return len(json.loads(text))
    if is_json or field in _JSON_FIELDS:
        return json.loads(text)
    return text


def answers_differ(op: str, node: JSON, toril: JSON) -> list[str]:
    """What two answers differ in: of errors their class where it counts, and BullMQ's number."""
    if _is_error(node) or _is_error(toril):
        return [] if _errors_alike(node, toril) else [f"answer: node {node!r}, toril {toril!r}"]
    left, right = _answer(op, node), _answer(op, toril)
    if (
        isinstance(left, dict)
        and isinstance(right, dict)
        and "attemptsStarted" in left
        and "name" not in left
    ):
        # A job whose hash vanished: BullMQ reads nothing where toril reads empty values.
        right = {name: value for name, value in right.items() if name in left or name not in _ALWAYS_THERE}
    if _alike(op, left, right):
        return []
    return [f"answer: node {left!r}, toril {right!r}"]


def _is_error(answer: JSON) -> bool:
    return isinstance(answer, dict) and "error" in answer


def _errors_alike(node: JSON, toril: JSON) -> bool:
    if not (_is_error(node) and _is_error(toril)):
        return False
    left, right = (as_mapping(as_mapping(answer)["error"]) for answer in (node, toril))
    if left["name"] == UNRECOVERABLE and right["name"] != UNRECOVERABLE:
        return False
    return "code" not in left or left["code"] == right.get("code")


def _answer(op: str, answer: JSON) -> JSON:
    """An answer in the form that both can have: without empty values, lists of errors and stacks counted."""
    if isinstance(answer, dict):
        return {
            name: len(value) if name in _COUNTED and isinstance(value, list) else _answer(op, value)
            for name, value in answer.items()
            if value is not None and not (name == "name" and op in _NAMELESS)
        }
    return [_answer(op, item) for item in answer] if isinstance(answer, list) else answer


def _alike(name: str, left: JSON, right: JSON) -> bool:
    """Whether two values are the same; ``name`` is that of the field or operation that they come from."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_alike(key, left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_alike, [name] * len(left), left, right))
    if name in _LIVES and isinstance(left, int) and isinstance(right, int):
        return _lives_alike(left, right)
    return same(left, right)
