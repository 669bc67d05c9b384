"""Which Python peers are the fastest, by the run of all systems that was recorded last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.figures import Figures, Sample
from benchmarks.systems import PAIR, ROOT, systems

#: Where the run of all systems is kept.
RECORD = ROOT / "docs" / "performance" / "all.json"
# What was the fastest when none was recorded.
_FORMERLY = ("bullmq_python", "huey")


def fastest_peers(record: Path = RECORD, count: int = 2) -> list[str]:
    """The peers that drained the most jobs a second at their best concurrency.

    Args:
        record: Of a run, as JSON.
        count: How many to name.
    """
    if not record.exists():
        return list(_FORMERLY[:count])
    figures = Figures([_sample(fields) for fields in json.loads(record.read_text())["samples"]])
    best: dict[str, float] = {}
    for name in systems():
        measure = figures.best(name, "drain", "rate")
        spread = figures.spread(name, measure, "rate") if measure else None
        if spread is not None and name not in PAIR:
            best[name] = spread.median
    fastest = sorted(best, key=lambda name: -best[name])
    return [*fastest, *(name for name in _FORMERLY if name not in fastest)][:count]


def _sample(fields: dict[str, Any]) -> Sample:
    return Sample(fields["measure"], fields["system"], fields["round"], fields["values"])
