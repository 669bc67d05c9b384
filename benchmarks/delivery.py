"""Whether every job arrived, exactly once: figures of a run that lost or doubled one are worth nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.process import MeasureError

# So many ids are named in a message.
_NAMED = 5


def check_added(system: str, result: Mapping[str, Any], count: int, waited: int = 0) -> list[str]:
    """All adds were answered, with different ids, and as many jobs wait; answers the ids.

    Args:
        count: How many jobs were to be added.
        waited: How many waited before.

    Raises:
        MeasureError: Not so.
    """
    ids: list[str] = result["ids"]
    different = len(set(ids))
    more = result["waiting"] - waited
    if not len(ids) == different == more == count:
        raise MeasureError(
            f"{system}: {count} jobs were to be added; {len(ids)} adds were answered, with {different} "
            f"different ids, and {more} more jobs wait"
        )
    return ids


def check_worked(system: str, result: Mapping[str, Any], added: Sequence[str]) -> None:
    """Each job that was added was seen by the handler once, and its result is kept.

    Raises:
        MeasureError: Not so.
    """
    seen = Counter[str](result["ids"])
    expected = set(added)
    faults = {
        "never seen": expected - seen.keys(),
        "seen more than once": {id for id, times in seen.items() if times > 1},
        "seen but not added": seen.keys() - expected,
    }
    said = [f"{len(ids)} {what} ({', '.join(sorted(ids)[:_NAMED])})" for what, ids in faults.items() if ids]
    if result["completed"] != len(added):
        said.append(f"{result['completed']} kept as completed")
    if said:
        raise MeasureError(f"{system}: of {len(added)} jobs: {'; '.join(said)}")


def check_failed(system: str, result: Mapping[str, Any], added: Sequence[str], attempts: int = 2) -> None:
    """Each job that was added was seen by the handler in each of its attempts, and is kept as failed.

    Raises:
        MeasureError: Not so.
    """
    seen = Counter[str](result["ids"])
    wrong = sorted(id for id in added if seen[id] != attempts)
    unknown = sorted(seen.keys() - set(added))
    if wrong or unknown or result["failed"] != len(added):
        raise MeasureError(
            f"{system}: of {len(added)} jobs: {len(wrong)} not seen {attempts} times "
            f"({', '.join(wrong[:_NAMED])}); {len(unknown)} seen but not added; "
            f"{result['failed']} kept as failed"
        )


def check_partly_worked(system: str, result: Mapping[str, Any], added: Sequence[str], count: int) -> None:
    """At least so many jobs were seen, each once, each one of those that were added, and are kept.

    Raises:
        MeasureError: Not so.
    """
    ids: list[str] = result["ids"]
    if len(ids) < count:
        raise MeasureError(f"{system}: of {count} jobs, {len(ids)} were seen")
    known = set(added)
    check_worked(system, result, [id for id in dict.fromkeys(ids) if id in known])


def check_counted(system: str, result: Mapping[str, Any], count: int) -> None:
    """So many jobs were seen and are kept; for where no ledger is.

    Raises:
        MeasureError: Not so.
    """
    if not result["seen"] == result["completed"] == count:
        raise MeasureError(
            f"{system}: of {count} jobs, {result['seen']} were seen and {result['completed']} kept"
        )
