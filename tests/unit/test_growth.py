"""Which jobs make memory grow, and when nothing is said."""

from __future__ import annotations

import random
from collections.abc import Callable

from toril.model.growth import LEAST, SAMPLES, Sample, growth_by_name

MB = 1024 * 1024


def samples(rss: Callable[[int], int], jobs: Callable[[int], dict[str, int]]) -> list[Sample]:
    return [Sample(rss(number), jobs(number)) for number in range(SAMPLES)]


def grown(costs: dict[str, int], counts: list[dict[str, int]], noise: int = 0) -> list[Sample]:
    """Samples of a process in which each job leaves so many bytes behind."""
    chance = random.Random(7)
    size, found = 100 * MB, list[Sample]()
    for jobs in counts:
        size += sum(costs.get(name, 0) * count for name, count in jobs.items())
        found.append(Sample(size + chance.randint(-noise, noise), jobs))
    return found


def test_one_name_of_jobs_that_leak() -> None:
    found = growth_by_name(samples(lambda n: 50 * MB + n * 4 * MB, lambda n: {"leaky": 40}))

    assert found == {"leaky": round(4 * MB / 40)}


def test_the_name_that_leaks_is_told_apart_from_the_others() -> None:
    counts = [{"leaky": n % 5, "sound": 300 - 40 * (n % 3), "rare": int(n == 9)} for n in range(SAMPLES)]
    found = growth_by_name(grown({"leaky": MB}, counts, noise=MB // 20), least=MB)

    assert list(found) == ["leaky"]
    assert abs(found["leaky"] - MB) < MB // 10


def test_two_names_that_leak() -> None:
    counts = [{"a": 3 + n % 4, "b": 9 - n % 3, "sound": 50} for n in range(SAMPLES)]
    found = growth_by_name(grown({"a": MB, "b": MB // 2}, counts))

    assert set(found) == {"a", "b"}


def test_names_that_always_come_together_are_both_told() -> None:
    found = growth_by_name(samples(lambda n: n * 4 * MB, lambda n: {"a": 10, "z": 10}))

    assert found == {"a": round(0.2 * MB), "z": round(0.2 * MB)}


def test_nothing_is_said_of_what_is_no_steady_growth() -> None:
    def busy(number: int) -> dict[str, int]:
        return {"sound": 100}

    assert growth_by_name(samples(lambda n: 100 * MB, busy)) == {}
    # Up at the start, and then no more.
    assert growth_by_name(samples(lambda n: min(n, 6) * 20 * MB, busy)) == {}
    # Up and down.
    assert growth_by_name(samples(lambda n: 100 * MB + (n % 6) * 20 * MB, busy)) == {}
    # Steadily, but little.
    assert growth_by_name(samples(lambda n: 100 * MB + n * 100, busy)) == {}
    assert growth_by_name(samples(lambda n: n * LEAST, busy)[:-1]) == {}


def test_growth_without_jobs_is_not_laid_on_jobs() -> None:
    assert growth_by_name(samples(lambda n: n * 4 * MB, lambda n: {})) == {}
    idle = samples(lambda n: n * 4 * MB, lambda n: {"sound": 1} if n == 3 else {})
    assert growth_by_name(idle) == {}
