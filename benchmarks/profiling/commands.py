"""What the server says about its commands, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def fields(value: str) -> dict[str, float]:
    """What stands behind a name in the server's report: ``calls=3,usec=7``."""
    pairs = (part.partition("=") for part in value.split(","))
    return {name: float(number) for name, _, number in pairs}


def command_table(stats: Mapping[str, str], latencies: Mapping[str, str], jobs: int) -> list[str]:
    """A line for each command, the costliest first. Scripts contain the commands they call.

    Args:
        stats: Section ``commandstats``.
        latencies: Section ``latencystats``; empty if the server has none.
        jobs: How many jobs all that was for.
    """
    lines = [
        "| command | calls a job | µs a job | µs a call | p50 µs | p99 µs |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    rows = {name.removeprefix("cmdstat_"): fields(value) for name, value in stats.items()}
    for name, row in sorted(rows.items(), key=lambda each: -each[1]["usec"]):
        spread = latencies.get(f"latency_percentiles_usec_{name}")
        percentiles = fields(spread) if spread else {}
        cells = [
            f"{row['calls'] / jobs:.3f}",
            f"{row['usec'] / jobs:.2f}",
            f"{row['usec_per_call']:.2f}",
            *(f"{percentiles[key]:.0f}" if key in percentiles else "" for key in ("p50", "p99")),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def event_table(latest: Sequence[Sequence[bytes | int]]) -> list[str]:
    """What held the server up, by its own ``LATENCY LATEST``; nothing, if nothing did."""
    if not latest:
        return ["Nothing held the server up for a millisecond or more."]
    lines = ["| event | last ms | longest ms |", "|---|---:|---:|"]
    for event, _, last, longest, *_ in latest:
        name = event.decode() if isinstance(event, bytes) else event
        lines.append(f"| {name} | {last} | {longest} |")
    return lines
