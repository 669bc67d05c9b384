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

from benchmarks.machine import describe, is_busy, load, revision
from benchmarks.measure import Measure
from benchmarks.plan import GROWTH, GROWTH_SHORT, plan
from benchmarks.process import MeasureError
from benchmarks.report import Run, as_json, markdown, progress
from benchmarks.rounds import Session
from benchmarks.server import serving
from benchmarks.standing import fastest_peers
from benchmarks.systems import PAIR, ROOT, MissingError, System, systems

_RESULTS = Path(__file__).resolve().parent / "results"
# What the pages of the documentation are called, and how they come about.
_PAGES = {
    "latest": ("Latest benchmark", "make bench"),
    "all": ("Benchmark of all systems", "make bench-all"),
}
# Rounds and share of the jobs of a quick run.
_QUICK = (2, 0.25)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; answers the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.scale = _QUICK
        options.short = True
    try:
        slots = [int(slots) for slots in _words(options.concurrency)]
        only = _words(options.only)
        measures = plan(options.scale, only, slots, short=options.short, growth=options.growth)
        chosen = _systems(options.systems)
    except ValueError as error:
        parser.error(str(error))
    try:
        run = measure(measures, chosen, options)
    except MeasureError as error:
        print(f"the benchmark failed: {error}", file=sys.stderr)
        return 1
    _save(run, options.write)
    print(markdown(run))
    missed = run.missed()
    if missed:
        print(f"below the floor: {'; '.join(missed)}", file=sys.stderr)
    if run.faults:
        print(f"{len(run.faults)} measures went wrong; see the report", file=sys.stderr)
    return 1 if run.faults or (missed and options.strict) else 0


def measure(measures: Sequence[Measure], chosen: Sequence[System], options: argparse.Namespace) -> Run:
    """Make the measures, and tell on stderr how it goes.

    Raises:
        MeasureError: The server can't be had, or is lost.
    """
    began, load_before = time.monotonic(), load()
    with serving(options.server) as server:
        session = Session(server, chosen, lambda sample: print(progress(sample), file=sys.stderr, flush=True))
        seconds = options.minutes * 60 if options.minutes else None
        asyncio.run(session.run(measures, options.rounds, seconds))
        about_server = server.describe()
    about = {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {time.monotonic() - began:.0f} s",
        "sources": revision(ROOT),
        "machine": describe(),
        "load before": f"{load_before:.2f}"
        + (" (not quiet: only indicative)" if is_busy(load_before) else ""),
        "server": about_server,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    return Run(
        measures=measures,
        systems=[system.name for system in chosen],
        rounds=session.rounds,
        notes={**about, **_notes(session, measures, chosen)},
        samples=session.samples,
        gaps=session.gaps,
        faults=session.faults,
    )


def _notes(session: Session, measures: Sequence[Measure], chosen: Sequence[System]) -> dict[str, str]:
    shares = [f"{system.name} {system.share:g}" for system in chosen if system.share != 1]
    return {
        **{
            system.name: f"{_versions(session.versions[system.name])}; {system.settings}" for system in chosen
        },
        "rounds": f"{session.rounds}, systems in turns, each measure in a fresh process after a warm-up",
        "jobs": ", ".join(f"{each.key} {each.order.count}" for each in measures),
        **({"share of the jobs": ", ".join(shares)} if shares else {}),
        "delivery": "every job was seen exactly once, and its result kept, or else the measure was dropped",
    }


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _systems(text: str) -> list[System]:
    known = systems()
    named = _words(text) or list(PAIR)
    names: list[str] = []
    for name in named:
        names += list(known) if name == "all" else fastest_peers() if name == "fastest" else [name]
    if unknown := set(names) - known.keys():
        raise ValueError(f"there is no system {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    try:
        for name in names:
            known[name].program()
    except MissingError as error:
        raise ValueError(str(error)) from error
    return [known[name] for name in dict.fromkeys(names)]


def _save(run: Run, page: Path | None) -> None:
    _RESULTS.mkdir(exist_ok=True)
    (_RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%S}.json").write_text(as_json(run, raw=True))
    if page is not None:
        page.parent.mkdir(parents=True, exist_ok=True)
        title, command = _PAGES.get(page.stem, ("Benchmark", "python -m benchmarks.run"))
        page.write_text(f"# {title}\n\nWritten by `{command}`.\n\n{markdown(run)}")
        page.with_suffix(".json").write_text(as_json(run, raw=False))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks.run", description=__doc__.partition(":")[0] if __doc__ else ""
    )
    groups = ", ".join(dict.fromkeys(each.group for each in plan(1)))
    add = parser.add_argument
    add("--rounds", type=int, default=5, metavar="N", help="how often each measure is made (default 5)")
    add("--minutes", type=float, default=0, metavar="M", help="begin no round that would end later")
    add("--scale", type=float, default=1.0, metavar="F", help="factor for the counts of jobs (default 1)")
    add("--quick", action="store_true", help="a glance: short, {} rounds, scale {}".format(*_QUICK))
    add("--short", action="store_true", help="leave out what takes long, and what is not about speed")
    only_help = f"comma separated: {groups}; or one of them, like add-bulk or drain-100"
    add("--only", default="", metavar="MEASURES", help=only_help)
    slots_help = "of the drains, of all systems, comma separated"
    add("--concurrency", default="", metavar="SLOTS", help=slots_help)
    growth_help = f"jobs in the measures of growth, at last (default {GROWTH}; short {GROWTH_SHORT})"
    add("--growth", type=int, default=0, metavar="N", help=growth_help)
    names = ", ".join(systems())
    systems_help = f"comma separated: {names}, all, or fastest: two Python peers (default {','.join(PAIR)})"
    add("--systems", default="", metavar="NAMES", help=systems_help)
    server_help = "embedded (default), a server program to start, or the URL of an empty database"
    add("--server", default="embedded", metavar="SERVER", help=server_help)
    page_help = "also write the report there, and its figures beside it as .json"
    add("--write", type=Path, default=None, metavar="PAGE.md", help=page_help)
    add("--strict", action="store_true", help="exit with 1 when a floor is not reached")
    return parser


if __name__ == "__main__":
    sys.exit(main())
