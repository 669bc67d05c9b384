"""The replayer as a program."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.golden.deviations import read_deviations, unexpected
from tests.golden.replay import main
from tests.golden.scenario import RECORDED
from tests.golden.values import BadRecording

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def recording(tmp_path: Path) -> Callable[[Change], Path]:
    """A folder with one short recording, changed in some way."""
    document = json.loads((RECORDED / "recorded" / "adding.json").read_text(encoding="utf-8"))
    document["scenarios"] = [entry for entry in document["scenarios"] if entry["name"] == "adding/minimal"]

    def write(change: Change) -> Path:
        change(document["scenarios"][0])
        (tmp_path / "some.json").write_text(json.dumps(document), encoding="utf-8")
        return tmp_path

    return write


def nothing(scenario: dict[str, Any]) -> None:
    """Leave it as it was recorded."""


def run(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> tuple[int, list[str]]:
    code = main([str(word) for word in argv])
    return code, capsys.readouterr().out.splitlines()


def test_what_conforms_passes(
    recording: Callable[[Change], Path], golden_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = run(capsys, recording(nothing), "--url", golden_url)

    assert (code, lines) == (0, ["1 passed, 0 failed"])


def test_it_brings_a_server_of_its_own(
    recording: Callable[[Change], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = run(capsys, recording(nothing))

    assert (code, lines) == (0, ["1 passed, 0 failed"])


def test_the_time_of_day_may_be_used(
    recording: Callable[[Change], Path], golden_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = run(capsys, recording(nothing), "--url", golden_url, "--clock", "wall")

    assert (code, lines) == (0, ["1 passed, 0 failed"])


def change_state(scenario: dict[str, Any]) -> None:
    scenario["state"]["bull:q:1"]["value"]["priority"] = "7"


def change_return(scenario: dict[str, Any]) -> None:
    scenario["returns"]["#0"]["id"] = "2"


def want_an_error(scenario: dict[str, Any]) -> None:
    scenario["returns"]["#0"] = {"error": {"name": "Error", "message": "no"}}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (change_state, "    state bull:q:1.priority: expected '7', got '0'"),
        (change_return, "    step 0 queue.add (#0).id: expected '2', got '1'"),
        (want_an_error, "    step 0 queue.add (#0): expected {'error': "),
    ],
)
def test_what_differs_is_told_and_fails(
    recording: Callable[[Change], Path],
    golden_url: str,
    capsys: pytest.CaptureFixture[str],
    change: Change,
    told: str,
) -> None:
    code, lines = run(capsys, recording(change), "--url", golden_url)

    assert code == 1
    assert lines[0] == "FAILED adding/minimal"
    assert lines[1].startswith(told)
    assert lines[-1] == "0 passed, 1 failed"


def want_the_unknown(scenario: dict[str, Any]) -> None:
    scenario["steps"][0]["op"] = "queue.bake"


def want_a_missing_handle(scenario: dict[str, Any]) -> None:
    scenario["steps"][0] |= {"op": "job.promote", "job": "nobody"}
    # Even where an error is expected, a step that can't be replayed is none.
    want_an_error(scenario)


@pytest.mark.parametrize("change", [want_the_unknown, want_a_missing_handle])
def test_what_cannot_be_replayed_fails(
    recording: Callable[[Change], Path], golden_url: str, capsys: pytest.CaptureFixture[str], change: Change
) -> None:
    code, lines = run(capsys, recording(change), "--url", golden_url)

    assert code == 1
    assert "step 0" in lines[1]
    assert lines[-1] == "0 passed, 1 failed"


def move_elsewhere(scenario: dict[str, Any]) -> None:
    scenario["area"] = "baking"


def test_unsupported_areas_are_named_and_not_counted(
    recording: Callable[[Change], Path], golden_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = recording(move_elsewhere)
    scenarios = (RECORDED / "recorded" / "data.json").read_text(encoding="utf-8")
    (folder / "more.json").write_text(scenarios, encoding="utf-8")

    code, lines = run(capsys, folder, "--url", golden_url, "--name", "adding/", "--areas", "baking,data")
    assert code == 1, "nothing was replayed"
    assert lines[0] == "not yet supported: baking"
    assert lines[-1] == "0 passed, 0 failed"

    code, lines = run(capsys, folder, "--url", golden_url, "--name", "a", "--areas", "baking,data")
    assert lines[-2:] == ["not yet supported: baking", "10 passed, 0 failed"]


def test_files_without_scenarios_are_passed_over(
    recording: Callable[[Change], Path], golden_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = recording(nothing)
    (folder / "other.json").write_text('{"some": "thing"}', encoding="utf-8")
    (folder / "list.json").write_text("[1]", encoding="utf-8")

    assert run(capsys, folder, "--url", golden_url) == (0, ["1 passed, 0 failed"])


def test_a_broken_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")

    with pytest.raises(BadRecording, match=r"broken\.json"):
        main([str(tmp_path)])


def test_a_listed_deviation_must_be_just_that(tmp_path: Path) -> None:
    listed = tmp_path / "deviations.toml"
    listed.write_text(
        '[[deviation]]\nscenario = "a/b"\nreason = "a defect"\ndifferences = ["one", "two"]\n',
        encoding="utf-8",
    )
    deviations = read_deviations(listed)

    assert unexpected("a/b", ["two", "one"], deviations) == []
    assert unexpected("a/b", ["one", "two", "three"], deviations) == ["three"]
    assert unexpected("a/b", [], deviations) == ["no longer differs: one", "no longer differs: two"]
    assert unexpected("a/c", ["one"], deviations) == ["one"]


def test_a_deviation_needs_a_reason(tmp_path: Path) -> None:
    listed = tmp_path / "deviations.toml"
    listed.write_text('[[deviation]]\nscenario = "a/b"\ndifferences = ["one"]\n', encoding="utf-8")

    with pytest.raises(BadRecording, match="reason"):
        read_deviations(listed)
