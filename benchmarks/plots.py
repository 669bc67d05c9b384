"""Plots of a run: `python -m benchmarks.plots docs/performance/all.json`, in the peers' environment.

It reads the run's JSON and imports nothing of the benchmark, since matplotlib lives where toril does not.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

# A picture each: its name, what it shows, the groups of measures or single ones, and the value.
_PICTURES = (
    ("drain", "Draining no-op jobs, one process, jobs/s", ("drain",), "rate"),
    ("two", "Draining no-op jobs, two processes, jobs/s", ("two",), "rate"),
    ("kinds", "Jobs of other kinds, jobs/s", ("fail", "flow", "io", "cpu", "priorities"), "rate"),
    ("add", "Adding jobs, jobs/s", ("add",), "rate"),
    ("latency", "Latency, median, ms", ("latency", "result", "load"), "p50_ms"),
    ("latency-p99", "Latency, p99, ms", ("latency", "result", "load"), "p99_ms"),
    ("delayed", "Lateness of delayed jobs, p99, ms", ("delayed",), "p99_ms"),
    ("growth", "As work grows, jobs/s", ("growth", "queues"), "rate"),
    ("payload", "Payloads, jobs/s", ("payload",), "rate"),
    ("server", "CPU of the server per drained job, µs", ("drain",), "server_us"),
    ("memory", "Memory per waiting job, bytes", ("memory",), "data"),
)
_HEIGHT, _WIDTH = 0.34, 8.0
# What begins the pictures on the run's page.
_HEADING = "\n## Plots\n\n"
_GREY, _OURS = "0.65", "tab:blue"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: of whom, how long, and where the rounds lay."""

    name: str
    value: float
    low: float
    high: float


def main(record: Path) -> None:
    """Draw what a run measured, beside its record, and show it on its page.

    Args:
        record: The run's JSON.
    """
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    run = json.loads(record.read_text())
    links: list[str] = []
    for name, title, measures, value in _PICTURES:
        if panels := panels_of(run, measures, value):
            path = record.with_name(f"{record.stem}-{name}.png")
            draw(panels, title, path)
            links.append(f"![{title}]({path.name})")
    page = record.with_suffix(".md")
    if links and page.exists():
        said = page.read_text().partition(_HEADING)[0]
        page.write_text(said + _HEADING + "\n\n".join(links) + "\n")


def panels_of(run: Mapping[str, Any], measures: Sequence[str], value: str) -> dict[str, list[Bar]]:
    """The bars of each measure that was made, by its title; a group stands for all its measures."""
    panels: dict[str, list[Bar]] = {}
    for key, title in run["titles"].items():
        if key in measures or key.partition("-")[0] in measures:
            panels[title] = bars(run["samples"], key, value)
    return {title: drawn for title, drawn in panels.items() if drawn}


def bars(samples: Sequence[Mapping[str, Any]], measure: str, value: str) -> list[Bar]:
    """The medians of a measure, the largest first."""
    found: dict[str, list[float]] = {}
    for sample in samples:
        if sample["measure"] == measure and value in sample["values"]:
            found.setdefault(sample["system"], []).append(sample["values"][value])
    drawn = [Bar(name, median(values), min(values), max(values)) for name, values in found.items()]
    return sorted(drawn, key=lambda bar: -bar.value)


def draw(panels: Mapping[str, Sequence[Bar]], title: str, path: Path) -> None:
    """Write a picture of horizontal bars, a panel for each measure."""
    plots = importlib.import_module("matplotlib.pyplot")
    rows = [len(drawn) for drawn in panels.values()]
    size = (_WIDTH, _HEIGHT * (sum(rows) + 3 * len(rows)))
    figure, axes = plots.subplots(len(rows), 1, figsize=size, height_ratios=rows, squeeze=False)
    for axis, (about, drawn) in zip(axes[:, 0], panels.items(), strict=True):
        names = [bar.name for bar in drawn]
        lengths = [bar.value for bar in drawn]
        reach = [
            [bar.value - bar.low for bar in drawn],
            [bar.high - bar.value for bar in drawn],
        ]
        colours = [_OURS if name == "toril" else _GREY for name in names]
        axis.barh(names, lengths, xerr=reach, color=colours, ecolor="0.3", capsize=2)
        axis.invert_yaxis()
        axis.set_title(about, fontsize=9, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plots.close(figure)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
