"""Recorded scenarios, as they are read from their files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.golden.values import JSON, Args, BadRecording, as_mapping, parse

#: Areas of behaviour that toril has; the scenarios of all others are not replayed.
SUPPORTED_AREAS = (
    "adding",
    "data",
    "deduplication",
    "delays",
    "errors",
    "events",
    "flows",
    "getters",
    "lifecycle",
    "limits",
    "metrics",
    "pause",
    "priorities",
    "removal",
    "retention",
    "schedulers",
    "stalled",
)

#: The recordings that belong to the tests.
RECORDED = Path(__file__).parent

# Steps that the replayer does itself, and that give nothing back.
_SILENT_OPS = frozenset({"sleep", "snapshot", "clock.advance"})


@dataclass(frozen=True, slots=True)
class Step:
    """One step: an operation, when it ran, and under which name its result was kept.

    Attributes:
        op: What is done, such as ``queue.add``.
        at_ms: When, in ms after the start of the recording.
        key: Name of its result.
        values: The step as it is recorded.
    """

    op: str
    at_ms: int
    key: str
    values: Mapping[str, JSON]

    @property
    def silent(self) -> bool:
        """Whether it gives nothing back, by its nature."""
        return self.op in _SILENT_OPS


@dataclass(frozen=True, slots=True)
class Scenario:
    """What was done, and what came of it.

    Attributes:
        t0_ms: Start of the recording, in ms since the epoch.
        needs_controlled_clock: Whether the time of day won't do.
        queues: Options of the queues to make before the first step, by name.
        workers: Queue and options of the workers, by handle.
        loose_events: Keys of event streams whose order means nothing.
        returns: What the steps gave back, by their keys.
        snapshots: States at certain steps, by name.
        state: The state after the last step.
    """

    name: str
    area: str
    t0_ms: int
    needs_controlled_clock: bool
    prefix: str
    queues: Mapping[str, JSON]
    workers: Mapping[str, JSON]
    loose_events: frozenset[str]
    steps: tuple[Step, ...]
    returns: Mapping[str, JSON]
    snapshots: Mapping[str, JSON]
    state: Mapping[str, JSON]


def read_scenarios(place: Path) -> list[Scenario]:
    """All scenarios of a file, or of the files below a folder, in the order of their names.

    Raises:
        BadRecording: A file has another form.
    """
    paths = [place] if place.is_file() else sorted(place.rglob("*.json"))
    return [scenario for path in paths for scenario in _in_file(path)]


def _in_file(path: Path) -> Iterator[Scenario]:
    try:
        document = parse(path.read_text(encoding="utf-8"))
        if isinstance(document, dict) and "scenarios" in document:
            args = Args(document)
            for entry in args.items("scenarios"):
                yield read_scenario(as_mapping(entry), args.text("area", ""), args.integer("t0"))
    except ValueError as error:
        raise BadRecording(f"{path}: {error}") from error


def read_scenario(entry: Mapping[str, JSON], area: str, t0_ms: int) -> Scenario:
    """One scenario of a file."""
    args = Args(entry)
    return Scenario(
        name=args.text("name"),
        area=args.text("area", area),
        t0_ms=t0_ms,
        needs_controlled_clock=args.text("clock", "any") == "virtual",
        prefix=args.text("prefix", "bull"),
        queues=args.mapping("queues"),
        workers=args.mapping("workers"),
        loose_events=frozenset(args.texts("looseEvents")),
        steps=tuple(_steps(args.items("steps"))),
        returns=args.mapping("returns"),
        snapshots=args.mapping("snapshots"),
        state=args.mapping("state"),
    )


def _steps(entries: Iterable[JSON]) -> Iterator[Step]:
    for index, entry in enumerate(entries):
        values = as_mapping(entry)
        args = Args(values)
        yield Step(args.text("op"), args.integer("at"), args.text("as", f"#{index}"), values)
