"""The rules of the comparison, one by one."""

from __future__ import annotations

import pytest

from tests.golden.compare import Replay, compare
from tests.golden.matching import Matcher, ttl_fits
from tests.golden.scenario import Scenario, read_scenario
from tests.golden.stored import StoredKey
from tests.golden.tokens import ControlledClock, WallClock
from tests.golden.values import JSON, same

UUID = "5a3c1d2e-0000-4000-8000-0123456789ab"
OTHER_UUID = "5a3c1d2e-0000-4000-8000-0123456789ac"


def matcher() -> Matcher:
    return Matcher(ControlledClock(1_893_456_000_000, [1, 5]))


def scenario(returns: JSON, state: JSON = None, loose: JSON = None) -> Scenario:
    entry: dict[str, JSON] = {
        "name": "a/b",
        "steps": [{"op": "queue.add", "at": 1, "as": "r"}],
        "returns": {} if returns is None else {"r": returns},
        "state": state or {},
        "looseEvents": loose or [],
    }
    return read_scenario(entry, "a", 1_893_456_000_000)


def returned(expected: JSON, actual: JSON) -> list[str]:
    return compare(scenario(expected), Replay(returns={"r": actual}), ControlledClock(1_893_456_000_000, [1]))


# --- texts ---


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("plain", "plain"),
        ("<t0>", "1893456000001"),
        ("<t1+10>", "1893456000015"),
        ("<t1-5>", "1893456000000"),
        ("<T0+7>", "1893456000007"),
        ("a<t0>b<t1>c", "a1893456000001b1893456000005c"),
        ("<t1+5000>.0002", "1893456005005.0002"),
        ("<ttl:3000>", "1001"),
        ("<any>", ""),
        ("x<version>", "xtoril:1"),
        ("<script>", "<script>"),
        ("<t0", "<t0"),
    ],
)
def test_texts_that_fit(expected: str, actual: str) -> None:
    assert matcher().text_fits(expected, actual)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("plain", "plain "),
        ("<t0>", "1893456000002"),
        ("<t0>", "<t0>"),
        ("a<t0>b", "a1893456000001"),
        ("<ttl:3000>", "1000"),
        ("<ttl:3000>", "3001"),
        ("<uuid:1>", "no-uuid"),
        ("a<any>b", "ab "),
        ("<script>", "text"),
    ],
)
def test_texts_that_do_not_fit(expected: str, actual: str) -> None:
    assert not matcher().text_fits(expected, actual)


def test_a_uuid_is_always_the_same_one() -> None:
    texts = matcher()

    assert texts.text_fits("q:<uuid:1>", f"q:{UUID}")
    assert texts.text_fits("<uuid:1>:<uuid:2>", f"{UUID}:{OTHER_UUID}")
    assert not texts.text_fits("<uuid:1>", OTHER_UUID)
    assert not texts.text_fits("<uuid:3>:<uuid:3>", f"{UUID}:{OTHER_UUID}")


def test_what_does_not_fit_names_no_uuid() -> None:
    texts = matcher()

    assert not texts.text_fits("<uuid:1> <ttl:5>", f"{UUID} 9")
    assert texts.text_fits("<uuid:1>", OTHER_UUID)


@pytest.mark.parametrize(
    ("most", "ms", "fits"),
    [
        *((100, 0, False), (100, 1, True), (100, 100, True), (100, 101, False), (100, -1, False)),
        *(
            (2000, 1, True),
            (2001, 1, False),
            (2001, 2, True),
            (30_000, 28_000, False),
            (30_000, 28_001, True),
        ),
    ],
)
def test_times_to_live(most: int, ms: int, fits: bool) -> None:
    assert ttl_fits(most, ms) == fits


def test_the_time_of_day_has_windows() -> None:
    texts = Matcher(WallClock([(1_700_000_000_010, 1_700_000_000_020)]))

    assert texts.text_fits("<t0>", "1700000000008")
    assert texts.text_fits("<t0+5>", "1700000000027")
    assert not texts.text_fits("<t0>", "1700000000007")
    assert not texts.text_fits("<t0+5>", "1700000000028")
    assert texts.field_fits("delay", "1000", "1050")
    assert not texts.field_fits("delay", "1000", "1051")
    with pytest.raises(ValueError, match="controlled clock"):
        texts.text_fits("<T0>", "1700000000010")


# --- stored fields ---


@pytest.mark.parametrize(
    ("field", "expected", "actual"),
    [
        ("data", '{"a":1,"b":[1.0]}', '{ "b": [1], "a": 1 }'),
        ("opts", '{"at":<t0>}', '{"at": 1893456000001}'),
        ("stacktrace", '["<stack>","<stack>"]', '["one, \\"two\\"", ""]'),
        ("returnvalue", "null", "null"),
        ("failedReason", "", ""),
    ],
)
def test_fields_that_fit(field: str, expected: str, actual: str) -> None:
    assert matcher().field_fits(field, expected, actual)


@pytest.mark.parametrize(
    ("field", "expected", "actual"),
    [
        ("data", '{"a":1}', '{"a":true}'),
        ("data", '{"a":null}', "{}"),
        ("opts", '{"at":<t0>}', '{"at": 1893456000002}'),
        ("opts", '{"at":"<any>"}', '{ "at": 1 }'),
        ("stacktrace", '["<stack>","<stack>"]', '["one","two","three"]'),
        ("stacktrace", '["<stack>"]', "[1]"),
        ("stacktrace", '["<stack>"]', "no list"),
        ("failedReason", '{"a":1}', '{"a": 1}'),
        ("delay", "1000", "1001"),
        ("delay", "1000", "soon"),
        ("returnvalue", "null", ""),
    ],
)
def test_fields_that_do_not_fit(field: str, expected: str, actual: str) -> None:
    assert not matcher().field_fits(field, expected, actual)


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        *((1, 1.0, True), (1, True, False), (0, False, False), (None, False, False), (None, None, True)),
        *(
            ("1", 1, False),
            ([], {}, False),
            ([1, 2], [2, 1], False),
            ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ),
    ],
)
def test_json_values(left: JSON, right: JSON, equal: bool) -> None:
    assert same(left, right) is equal


# --- returns ---


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (None, None),
        ({"id": "1", "at": "<t0>"}, {"id": "1", "at": 1_893_456_000_001, "more": None}),
        ({"key:<t0>": 1}, {"key:1893456000001": 1.0}),
        ("<ttl:100>", 50),
        ({"error": {"name": "Error", "message": "x"}}, {"error": {"name": "Other", "message": "y"}}),
        (
            {"error": {"name": "Error", "message": "x", "code": -2}},
            {"error": {"name": "Error", "message": "y", "code": -2}},
        ),
        ({"next": None, "errors": ["x"]}, {"next": None, "errors": ["y"]}),
    ],
)
def test_returns_that_fit(expected: JSON, actual: JSON) -> None:
    assert returned(expected, actual) == []


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (None, {"error": {"name": "Error", "message": "x"}}),
        ({"id": "1"}, {"id": 1}),
        ({"id": "1"}, {}),
        ({"next": None}, {}),
        ({"id": "1"}, {"id": "1", "more": 0}),
        (0, False),
        ("<t0>", True),
        ({"error": {"name": "Error", "message": "x"}}, None),
        (
            {"error": {"name": "Error", "message": "x", "code": -2}},
            {"error": {"name": "Error", "message": "x"}},
        ),
        (
            {"error": {"name": "UnrecoverableError", "message": "x"}},
            {"error": {"name": "Error", "message": "x"}},
        ),
        ({"next": None, "errors": []}, {"next": None, "errors": ["y"]}),
        ({"next": None, "errors": []}, {"next": None, "errors": None}),
    ],
)
def test_returns_that_do_not_fit(expected: JSON, actual: JSON) -> None:
    assert len(returned(expected, actual)) == 1


def test_a_null_under_a_name_must_be_null() -> None:
    recorded = read_scenario(
        {"name": "a/b", "steps": [{"op": "queue.getJob", "at": 1, "as": "r"}], "returns": {"r": None}}, "a", 0
    )

    assert compare(recorded, Replay(returns={"r": None}), ControlledClock(0, [1])) == []
    assert compare(recorded, Replay(returns={"r": {"id": "1"}}), ControlledClock(0, [1]))


def test_without_a_record_anything_but_an_error_will_do() -> None:
    assert returned(None, "some") == []


# --- streams ---


def events(*ids: str) -> list[JSON]:
    return [{"event": "added", "jobId": id} for id in ids]


def streamed(loose: JSON, *ids: str) -> list[str]:
    state: JSON = {"e": {"type": "stream", "value": events("1", "2", "2"), "ttl": "none"}}
    replay = Replay(state={"e": StoredKey("stream", events(*ids))})
    return compare(scenario(None, state, loose), replay, ControlledClock(0, [1]))


def test_loose_events_may_come_in_any_order() -> None:
    assert streamed(["e"], "2", "1", "2") == []
    assert len(streamed(["e"], "2", "1", "1")) == 1
    assert len(streamed(["e"], "2", "1")) == 1
    assert len(streamed([], "2", "1", "2")) == 2
