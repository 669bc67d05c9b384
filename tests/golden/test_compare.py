"""The comparison must see every change of meaning, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden.compare import Replay, compare
from tests.golden.own_recording import OwnRecording
from tests.golden.scenario import RECORDED, Scenario, read_scenarios
from tests.golden.stored import Database, StoredKey
from tests.golden.tokens import Token, split
from tests.golden.values import JSON, Args, as_list, as_mapping, as_text

SCENARIOS = read_scenarios(RECORDED)
any_scenario = st.sampled_from(SCENARIOS)

# Taken modulo the number of what there is to choose from.
index = st.integers(0, 10_000)

# A busy machine is no reason to fail.
at_leisure = settings(deadline=None)


def differences(scenario: Scenario, replay: Replay) -> list[str]:
    return compare(scenario, replay, OwnRecording(scenario).clock)


def pick(items: list[str], number: int) -> str:
    return items[number % len(items)]


def test_each_recording_conforms_to_itself() -> None:
    assert [
        scenario.name for scenario in SCENARIOS if differences(scenario, OwnRecording(scenario).replay())
    ] == []


# --- keys ---


@at_leisure
@given(any_scenario, index)
def test_a_missing_key_is_seen(scenario: Scenario, number: int) -> None:
    replay = OwnRecording(scenario).replay()
    if not replay.state:
        return
    key = pick(list(replay.state), number)
    del replay.state[key]

    assert len(differences(scenario, replay)) == 1


@at_leisure
@given(any_scenario, st.text(min_size=1))
def test_a_key_too_many_is_seen(scenario: Scenario, name: str) -> None:
    replay = OwnRecording(scenario).replay()
    replay.state[f"more:{name}"] = StoredKey("string", "1")

    assert len(differences(scenario, replay)) == 1


@at_leisure
@given(any_scenario, index, st.sampled_from(["string", "list", "set", "hash", "zset", "stream"]))
def test_another_type_is_seen(scenario: Scenario, number: int, kind: str) -> None:
    replay = OwnRecording(scenario).replay()
    if not replay.state:
        return
    key = pick(list(replay.state), number)
    stored = replay.state[key]
    replay.state[key] = StoredKey(kind, stored.value, stored.pttl_ms)

    assert bool(differences(scenario, replay)) == (kind != stored.type)


@at_leisure
@given(any_scenario, index, st.integers(-1, 100_000))
def test_another_time_to_live_is_seen(scenario: Scenario, number: int, pttl_ms: int) -> None:
    replay = OwnRecording(scenario).replay()
    if not replay.state:
        return
    key = pick(list(replay.state), number)
    stored = replay.state[key]
    replay.state[key] = StoredKey(stored.type, stored.value, pttl_ms)
    most = stored.pttl_ms
    fits = pttl_ms == most or (most > 0 and 0 < pttl_ms < most and pttl_ms > most - 2000)

    assert bool(differences(scenario, replay)) != fits


# --- values ---


def expected_texts(scenario: Scenario, kind: str) -> list[tuple[str, str, str]]:
    """Of all hashes or sorted sets: key, name and recorded text; what may be any text is left out."""
    found: list[tuple[str, str, str]] = []
    for key, entry in scenario.state.items():
        args = Args(as_mapping(entry))
        if args.text("type") == kind and "<" not in key:
            for name, text in args.mapping("value").items():
                if "<" not in name and isinstance(text, str) and Token("text") not in split(text):
                    found.append((key, name, text))
    return found


@at_leisure
@given(any_scenario, index, st.text())
def test_another_field_of_a_hash_is_seen(scenario: Scenario, number: int, text: str) -> None:
    fields = expected_texts(scenario, "hash")
    if not fields:
        return
    key, field, _ = fields[number % len(fields)]
    replay = OwnRecording(scenario).replay()
    value = as_mapping(replay.state[key].value)
    before, value[field] = value[field], text

    assert bool(differences(scenario, replay)) == (text != before and not means_the_same(field, before, text))


def means_the_same(field: str, before: JSON, text: str) -> bool:
    if field not in ("data", "opts", "parent", "progress", "returnvalue", "stacktrace", "pd"):
        return False
    try:
        return json.dumps(json.loads(text), sort_keys=True) == json.dumps(
            json.loads(as_text(before)), sort_keys=True
        )
    except ValueError:
        return False


@at_leisure
@given(any_scenario, index, st.integers(1, 2**40))
def test_another_score_is_seen(scenario: Scenario, number: int, more: int) -> None:
    replay = OwnRecording(scenario).replay()
    keys = [key for key, stored in replay.state.items() if stored.type == "zset"]
    if not keys:
        return
    scores = as_mapping(replay.state[pick(keys, number)].value)
    member = pick(list(scores), number)
    scores[member] = str(int(float(as_text(scores[member]))) + more)

    assert len(differences(scenario, replay)) == 1


def lists_of(state: Database, kind: str) -> list[list[JSON]]:
    return [as_list(stored.value) for stored in state.values() if stored.type == kind]


@at_leisure
@given(any_scenario, index, st.sampled_from(["list", "stream", "set"]), st.booleans())
def test_one_item_less_or_more_is_seen(scenario: Scenario, number: int, kind: str, more: bool) -> None:
    replay = OwnRecording(scenario).replay()
    lists = lists_of(replay.state, kind)
    if not lists:
        return
    items = lists[number % len(lists)]
    place = number % len(items)
    items[place:place] = [deepcopy(items[place])] if more else []
    if not more:
        del items[place]

    assert len(differences(scenario, replay)) == 1


@at_leisure
@given(any_scenario, index, st.sampled_from(["list", "stream"]))
def test_another_order_is_seen(scenario: Scenario, number: int, kind: str) -> None:
    replay = OwnRecording(scenario).replay()
    lists = lists_of(replay.state, kind)
    if not lists or scenario.loose_events:
        return
    items = lists[number % len(lists)]
    before = list(items)
    items.append(items.pop(number % len(items)))

    assert bool(differences(scenario, replay)) == (items != before)


@at_leisure
@given(any_scenario, index, index, st.text())
def test_another_event_field_is_seen(scenario: Scenario, number: int, which: int, text: str) -> None:
    replay = OwnRecording(scenario).replay()
    streams = lists_of(replay.state, "stream")
    if not streams or scenario.loose_events:
        return
    stream = streams[number % len(streams)]
    entry = as_mapping(stream[which % len(stream)])
    field = pick(list(entry), number)
    before, entry[field] = entry[field], text

    assert bool(differences(scenario, replay)) == (text != before and not means_the_same(field, before, text))


@at_leisure
@given(any_scenario, index, st.text())
def test_snapshots_count_like_the_last_state(scenario: Scenario, number: int, text: str) -> None:
    replay = OwnRecording(scenario).replay()
    if not replay.snapshots:
        return
    name = pick(list(replay.snapshots), number)
    replay.snapshots[name][f"more:{text}"] = StoredKey("string", "1")
    assert len(differences(scenario, replay)) == 1

    del replay.snapshots[name]
    assert len(differences(scenario, replay)) == len(as_mapping(scenario.snapshots[name]))


# --- returns ---

Change = Callable[[dict[str, JSON], str], None]


def drop(returns: dict[str, JSON], key: str) -> None:
    returns[key] = None


def raise_error(returns: dict[str, JSON], key: str) -> None:
    returns[key] = {"error": {"name": "Error", "message": "oh"}}


def wrap(returns: dict[str, JSON], key: str) -> None:
    returns[key] = [returns[key]]


def add_field(returns: dict[str, JSON], key: str) -> None:
    value = returns[key]
    returns[key] = {**value, "more": 1} if isinstance(value, dict) else {"more": 1}


@at_leisure
@given(any_scenario, index, st.sampled_from([drop, raise_error, wrap, add_field]))
def test_another_return_is_seen(scenario: Scenario, number: int, change: Change) -> None:
    replay = OwnRecording(scenario).replay()
    keys = [
        key for key, value in replay.returns.items() if not (isinstance(value, dict) and "error" in value)
    ]
    if not keys:
        return
    key = pick(keys, number)
    before = deepcopy(replay.returns[key])
    change(replay.returns, key)

    assert bool(differences(scenario, replay)) == (replay.returns[key] != before)
