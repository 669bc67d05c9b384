"""Scenarios that toril does not follow on purpose."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.golden.values import Args, as_mapping

#: The list that belongs to the recordings.
LISTED = Path(__file__).parent / "deviations.toml"

Deviations = Mapping[str, Sequence[str]]


def read_deviations(path: Path = LISTED) -> Deviations:
    """For each listed scenario the lines that it must differ by.

    Raises:
        BadRecording: An entry lacks its scenario, its reason or its differences.
    """
    deviations: dict[str, Sequence[str]] = {}
    for entry in Args(tomllib.loads(path.read_text(encoding="utf-8"))).items("deviation"):
        args = Args(as_mapping(entry))
        args.text("reason")
        deviations[args.text("scenario")] = args.texts("differences")
    return deviations


def unexpected(name: str, differences: Sequence[str], deviations: Deviations) -> list[str]:
    """What of the differences of a scenario is a failure; nothing if it differs just as it is listed."""
    listed = deviations.get(name)
    if listed is None:
        return list(differences)
    missing = [f"no longer differs: {line}" for line in listed if line not in differences]
    return [line for line in differences if line not in listed] + missing
