"""A run as Markdown, and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.figures import Figures, Ratio, Sample, Spread
from benchmarks.floors import FLOORS, Floor, Standing
from benchmarks.measure import Measure
from benchmarks.systems import OURS, RIVAL
from benchmarks.verdicts import Verdict, judge

_RATE = (("rate", ", jobs/s"),)
_TIMES = (("p50_ms", ", p50, ms"), ("p95_ms", ", p95, ms"), ("p99_ms", ", p99, ms"))
_CPU = (("process_us", "processes"), ("server_us", "server"))
# What is said of a promise about something that the run left out.
_UNKNOWN = "not measured"
# Microseconds a job are hundredths of a second for so many.
_CPU_JOBS, _CPU_SECONDS = "10 000 jobs", 0.01
# Values that a kind of measure is about: name, and what is said after the measure's title. Others are rates.
_VALUES = {
    "latency": _TIMES,
    "result": _TIMES,
    "load": (*_TIMES, ("per_second", ", arrivals/s")),
    "delayed": _TIMES,
    "cpu": (*_RATE, ("efficiency", ", of the ideal")),
    "served": (*_RATE, ("efficiency", ", of the ideal")),
    "isolated": (*_RATE, ("cost_ms", ", more than on the loop, ms a job")),
    "spread": (*_RATE, ("most_mb", ", most memory of the process, MB")),
    "memory": (("data", ", data, bytes"), ("all", ", all, bytes")),
    "rss": (("idle_mb", ", idle, MB"), ("more_mb", ", more after jobs, MB")),
    "import": (("import_ms", ", ms"),),
    "boot": (("boot_ms", ", ms"),),
    "idle": (("commands", ", a minute"),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of the benchmark: what was measured, and the circumstances.

    Attributes:
        notes: Of the run, by what they are about: machine, server, versions, ...
        rounds: How many were made.
        gaps: What a system can't, and why, by system and measure.
        faults: What went wrong and was dropped, by system and measure.
    """

    measures: Sequence[Measure]
    systems: Sequence[str]
    rounds: int
    notes: Mapping[str, str]
    samples: Sequence[Sample]
    gaps: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    faults: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    @property
    def figures(self) -> Figures:
        return Figures(self.samples)

    def missed(self) -> list[str]:
        """Titles of the floors that were not reached."""
        verdicts = (judge(floor, self.figures) for floor in FLOORS)
        return [each.floor.title for each in verdicts if each and each.standing is Standing.BELOW]


def markdown(run: Run) -> str:
    """The whole report."""
    notes = [f"- {about}: {note}" for about, note in run.notes.items()]
    parts = ["\n".join(notes), _floors(run), _values(run), _ratios(run), _cpu(run)]
    parts += [_places(run, "What a system can't", run.gaps), _places(run, "What went wrong", run.faults)]
    return "\n\n".join(part for part in parts if part) + "\n"


def as_json(run: Run, *, raw: bool) -> str:
    """The samples and circumstances; ``raw`` with every single latency."""
    samples: list[dict[str, Any]] = []
    for sample in run.samples:
        fields = asdict(sample)
        fields["values"] = {name: float(f"{value:.6g}") for name, value in sample.values.items()}
        if not (raw and sample.raw):
            del fields["raw"]
        samples.append(fields)
    counts = {measure.key: measure.order.count for measure in run.measures}
    titles = {measure.key: measure.title for measure in run.measures}
    gaps, faults = ([[*place, why] for place, why in said.items()] for said in (run.gaps, run.faults))
    about = {
        "notes": dict(run.notes),
        "rounds": run.rounds,
        "jobs": counts,
        "titles": titles,
        "gaps": gaps,
        "faults": faults,
    }
    rows = ",\n".join(json.dumps(sample) for sample in samples)
    return f'{json.dumps(about)[:-1]}, "samples": [\n{rows}\n]}}\n'


def progress(sample: Sample) -> str:
    """One line about a sample, while the run goes on."""
    values = "  ".join(f"{name} {number(value)}" for name, value in sample.values.items())
    return f"round {sample.round + 1}  {sample.measure:<15} {sample.system:<13} {values}"


def number(value: float) -> str:
    """With as many digits as mean something, thousands apart."""
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return "–"
    return f"{number(spread.median)} ({number(spread.low)} – {number(spread.high)})"


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return "–"
    return f"{ratio.of_medians:.2f} ({ratio.by_round.low:.2f} – {ratio.by_round.high:.2f})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _floors(run: Run) -> str:
    rows = [_floor(floor, judge(floor, run.figures)) for floor in FLOORS]
    counts = Counter(row[-1] for row in rows)
    said = ", ".join(
        f"{counts[answer]} {answer}" for answer in (*(each.value for each in Standing), _UNKNOWN)
    )
    head = ("Promised", OURS, "compared with", "ratio (by rounds)", "at least", "aim", "result")
    return f"## What is promised\n\n{said}.\n\n{_table(head, rows)}"


def _floor(floor: Floor, verdict: Verdict | None) -> Sequence[str]:
    bounds = floor.bound(floor.least), floor.bound(floor.aim)
    if verdict is None:
        return (floor.title, "–", "–", "–", *bounds, _UNKNOWN)
    ours = number(verdict.ours.spread.median) + _variant(verdict.ours.measure, floor.measure)
    theirs, ratio = "", ""
    if verdict.other is not None:
        other, compared = verdict.other
        shown = number(other.spread.median) + _variant(other.measure, floor.measure)
        theirs, ratio = f"{other.system} {shown}", _ratio(compared)
    return (floor.title, ours, theirs, ratio, *bounds, verdict.standing.value)


def _variant(measure: str, promised: str) -> str:
    """Which measure it was, if it is not the one that the promise names."""
    return "" if measure == promised else f" ({measure})"


def _values(run: Run) -> str:
    rows: list[Sequence[str]] = []
    for measure in run.measures:
        for value, unit in _VALUES.get(measure.kind, _RATE):
            spreads = [_spread(run.figures.spread(system, measure.key, value)) for system in run.systems]
            rows.append([measure.title + unit, *spreads])
    said = "Medians of the rounds, with the lowest and the highest."
    return f"## All figures\n\n{said}\n\n{_table(['Measure', *run.systems], rows)}"


def _ratios(run: Run) -> str:
    others = [system for system in run.systems if system != OURS and OURS in run.systems]
    if not others:
        return ""
    rows: list[Sequence[str]] = []
    for measure in run.measures:
        for value, unit in _VALUES.get(measure.kind, _RATE):
            pairs = (((OURS, measure.key), (other, measure.key)) for other in others)
            rows.append([measure.title + unit, *(_ratio(run.figures.ratio(*pair, value)) for pair in pairs)])
    head = ["Measure", *(f"{OURS} / {other}" for other in others)]
    said = "Ratios of the medians, with the lowest and the highest within a round."
    return f"## Ratios\n\n{said}\n\n{_table(head, rows)}"


def _places(run: Run, heading: str, said: Mapping[tuple[str, str], str]) -> str:
    """Why there is nothing of some measures of some systems, in a line each."""
    titles = {measure.key: measure.title for measure in run.measures}
    lines = [f"- {system}, {titles[key]}: {' '.join(why.split())}" for (system, key), why in said.items()]
    return f"## {heading}\n\n" + "\n".join(lines) if lines else ""


def _cpu(run: Run) -> str:
    rows: list[Sequence[str]] = []
    for measure in run.measures:
        for value, where in _CPU:
            spreads = [run.figures.spread(system, measure.key, value) for system in run.systems]
            if any(spreads):
                cells = [_spread(spread and spread.scaled(_CPU_SECONDS)) for spread in spreads]
                ratio = run.figures.ratio((OURS, measure.key), (RIVAL, measure.key), value)
                rows.append([f"{measure.title}, {where}", *cells, _ratio(ratio)])
    if not rows:
        return ""
    said = f"Seconds of CPU for {_CPU_JOBS}, of the measured processes and of the server."
    head = ["Measure", *run.systems, f"{OURS} / {RIVAL}"]
    return f"## CPU for {_CPU_JOBS}\n\n{said}\n\n{_table(head, rows)}"
