"""Measure toril beside other systems, in one run on one server: ``python -m benchmarks.run --help``."""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import describe, is_busy, load
from benchmarks.plan import CONCURRENCIES, Measure, plan
from benchmarks.process import MeasureError, command, systems
from benchmarks.report import Run, as_json, markdown, progress
from benchmarks.rounds import Session
from benchmarks.server import serving

_RESULTS = Path(__file__).resolve().parent / "results"
# Rounds and share of the jobs of a quick run.
_QUICK = (2, 0.25)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; answers the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    rounds, scale = _QUICK if options.quick else (options.rounds, options.scale)
    try:
        measures = plan(scale, _words(options.only), [int(slots) for slots in _words(options.concurrency)])
        chosen = _systems(options.systems)
    except ValueError as error:
        parser.error(str(error))
    try:
        run = measure(measures, chosen, rounds, options.server)
    except MeasureError as error:
        print(f"the benchmark failed: {error}", file=sys.stderr)
        return 1
    _save(run, options.write)
    print(markdown(run))
    missed = run.missed()
    if missed:
        print(f"below the floor: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed and options.strict else 0


def measure(measures: Sequence[Measure], chosen: Sequence[str], rounds: int, choice: str) -> Run:
    """Make the measures, and tell on stderr how it goes.

    Raises:
        MeasureError: A measure failed; what was measured before is dropped.
    """
    began, load_before = time.monotonic(), load()
    with serving(choice) as server:
        session = Session(server, chosen, lambda sample: print(progress(sample), file=sys.stderr))
        asyncio.run(session.run(measures, rounds))
        about_server = server.describe()
    notes = {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {time.monotonic() - began:.0f} s",
        "machine": describe(),
        "load before": f"{load_before:.2f}"
        + (" (not quiet: only indicative)" if is_busy(load_before) else ""),
        "server": about_server,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **{system: _versions(session.versions[system]) for system in chosen},
        "rounds": f"{rounds}, systems in turns, each measure in a fresh process after a warm-up",
        "jobs": ", ".join(f"{each.key} {each.order.count}" for each in measures),
        "delivery": "every job was seen exactly once, and kept as completed",
    }
    return Run(measures=measures, systems=chosen, rounds=rounds, notes=notes, samples=session.samples)


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _systems(text: str) -> list[str]:
    known = systems()
    chosen = _words(text) or list(known)
    if unknown := set(chosen) - known.keys():
        raise ValueError(f"there is no system {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    try:
        for system in chosen:
            command(known[system])
    except MeasureError as error:
        raise ValueError(str(error)) from error
    return chosen


def _save(run: Run, page: Path | None) -> None:
    _RESULTS.mkdir(exist_ok=True)
    (_RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%S}.json").write_text(as_json(run, raw=True))
    if page is not None:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f"# Latest benchmark\n\nWritten by `make bench`.\n\n{markdown(run)}")
        page.with_suffix(".json").write_text(as_json(run, raw=False))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks.run", description=__doc__.partition(":")[0] if __doc__ else ""
    )
    groups = "drain, add, latency, memory, or one of them, like add-bulk or drain-50"
    slots = ",".join(map(str, CONCURRENCIES))
    add = parser.add_argument
    add("--rounds", type=int, default=5, metavar="N", help="how often each measure is made (default 5)")
    add("--scale", type=float, default=1.0, metavar="F", help="factor for the counts of jobs (default 1)")
    add("--quick", action="store_true", help="a glance, below a minute: {} rounds, scale {}".format(*_QUICK))
    add("--only", default="", metavar="MEASURES", help=f"comma separated: {groups}")
    add(
        "--concurrency",
        default=slots,
        metavar="SLOTS",
        help=f"of the drains, comma separated (default {slots})",
    )
    add("--systems", default="", metavar="NAMES", help=f"comma separated (default {','.join(systems())})")
    server_help = "embedded (default), a server program to start, or the URL of an empty database"
    add("--server", default="embedded", metavar="SERVER", help=server_help)
    page_help = "also write the report there, and its figures beside it as .json"
    add("--write", type=Path, default=None, metavar="PAGE.md", help=page_help)
    add("--strict", action="store_true", help="exit with 1 when a floor is not reached")
    return parser


if __name__ == "__main__":
    sys.exit(main())
