from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.floors import FLOORS
from benchmarks.makers import arrivals
from benchmarks.measure import Measure
from benchmarks.plan import PAIR_CONCURRENCIES, plan
from benchmarks.plots import Bar, bars, panels_of
from benchmarks.standing import fastest_peers
from benchmarks.systems import OURS, PAIR, RIVAL, ROOT, MissingError, System, systems

ADAPTERS = ROOT / "benchmarks" / "adapters"


def measure(key: str, scale: float = 1) -> Measure:
    return next(each for each in plan(scale) if each.key == key)


# --- measures ---


def test_a_group_or_a_key_chooses_measures() -> None:
    chosen = [each.key for each in plan(1, ["add", "drain-10"], [1, 10])]

    assert chosen == ["drain-10", "add-one", "add-concurrent", "add-bulk"]


def test_an_unknown_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no measure drane"):
        plan(1, ["drane"])


def test_a_scale_changes_how_many_jobs_there_are() -> None:
    whole, half = plan(1, ["add-bulk"]), plan(0.5, ["add-bulk"])

    assert half[0].order.count * 2 == whole[0].order.count
    assert half[0].order.warmup * 2 == whole[0].order.warmup


def test_a_scale_leaves_alone_what_a_measure_is_named_after() -> None:
    for key in ("flow", "delayed-second", "rss-1000000", "boot"):
        assert measure(key, 0.1).order == measure(key).order
    assert [each.waiting for each in plan(0.1, ["growth"])] == [1_000, 1_000_000]


def test_growth_ends_where_it_is_told() -> None:
    keys = [each.key for each in plan(1, ["growth", "rss"], growth=5_000)]

    assert keys == ["growth-1000", "growth-5000", "rss", "rss-5000"]


def test_a_short_run_leaves_out_what_takes_long() -> None:
    short = plan(1, short=True)
    left_out = {each.group for each in plan(1)} - {each.group for each in short}

    assert left_out == {"cpu", "priorities", "queues", "payload"}
    assert [each.key for each in short if each.group == "two"] == ["two-100"]
    assert [each.key for each in short if each.group == "delayed"] == ["delayed-second"]
    assert [each.key for each in short if each.group == "rss"] == ["rss-200000"]


def test_a_short_run_has_all_that_is_promised() -> None:
    measured = {name for each in plan(1, short=True) for name in (each.key, each.group)}

    assert {floor.measure for floor in FLOORS} <= measured


def test_what_is_promised_of_ours_alone_is_measured_of_ours_alone_in_a_short_run() -> None:
    idle = next(each for each in plan(1, short=True) if each.key == "idle")

    assert idle.suits(OURS)
    assert not idle.suits(RIVAL)
    assert measure("idle").suits("celery")


def test_what_is_asked_for_is_made_in_a_short_run_as_in_a_whole_one() -> None:
    assert plan(1, ["idle"], short=True) == plan(1, ["idle"])


def test_the_drains_that_every_system_makes_are_those_all_can_be_compared_by() -> None:
    drains = {each.order.concurrency: each.suits("celery") for each in plan(1) if each.group == "drain"}

    assert [slots for slots, suits in drains.items() if suits] == [1, 10, 100]
    assert {slots for slots, suits in drains.items() if not suits} == set(PAIR_CONCURRENCIES)
    ours_alone = {each.key for each in plan(1) if not all(each.suits(system) for system in PAIR)}
    assert ours_alone == {"served", "isolated"}


def test_a_slow_system_has_its_share_of_the_jobs() -> None:
    slow = System("slow", "slow", "", share=0.1)

    assert measure("drain-10").for_system(slow).order.count == 1_800
    assert measure("drain-10").for_system(systems()[OURS]) == measure("drain-10")


def test_no_share_is_so_small_that_nothing_is_measured() -> None:
    least = measure("drain-10", 0.001).for_system(System("slow", "slow", "", share=0.01))

    assert (least.order.count, least.order.warmup) == (40, 20)


def test_what_is_not_about_concurrency_is_measured_with_what_a_worker_has() -> None:
    rq = systems()["rq"]

    assert measure("rss").for_system(rq).order.concurrency == 1
    assert measure("rss").for_system(rq).order.count < measure("rss").order.count
    assert measure("drain-100").for_system(rq).order.concurrency == 100


@pytest.mark.parametrize("key", ["latency", "result", "cpu"])
def test_what_depends_on_no_speed_is_made_with_as_many_jobs_for_everyone(key: str) -> None:
    assert measure(key).for_system(System("slow", "slow", "", share=0.1)) == measure(key)


# --- arrivals ---


def test_arrivals_are_as_many_as_planned_and_the_same_for_everyone() -> None:
    planned = arrivals(2_000, 5, seed=1)

    assert planned == arrivals(2_000, 5, seed=1)
    assert planned != arrivals(2_000, 5, seed=2)
    assert len(planned) == 10_000
    assert sum(planned) == pytest.approx(5_000, rel=0.05)


def test_arrivals_know_nothing_of_each_other() -> None:
    planned = arrivals(1_000, 10, seed=1)

    # Of such times, as many are shorter than the mean as an exponential distribution has.
    assert sum(each < 1 for each in planned) / len(planned) == pytest.approx(0.632, abs=0.02)


# --- systems ---


def test_our_adapter_comes_first_and_the_rival_second() -> None:
    assert list(systems())[:2] == [OURS, RIVAL]


def test_each_system_has_an_adapter_and_each_adapter_a_system() -> None:
    there = {path for path in ADAPTERS.iterdir() if path.suffix in (".py", ".mjs")}

    assert {system.adapter for system in systems().values()} == there - {ADAPTERS / "__init__.py"}


def test_each_environment_has_its_requirements_with_hashes() -> None:
    homes = {system.home for system in systems().values() if system.home}

    assert homes
    for home in homes:
        assert "--hash=sha256:" in (ROOT / "requirements" / f"{home}.lock").read_text()
        assert home in (ROOT / "Makefile").read_text()


def test_a_system_that_is_not_installed_says_what_installs_it() -> None:
    with pytest.raises(MissingError, match="`make peers`"):
        System("none", "none", "", home="no-such-environment").command()


# --- standing ---


def test_the_fastest_peers_are_those_of_the_record(tmp_path: Path) -> None:
    rates = {OURS: 50.0, RIVAL: 40.0, "rq": 3.0, "arq": 9.0, "saq": 5.0}
    samples = [
        {"measure": "drain-10", "system": system, "round": 0, "values": {"rate": rate}}
        for system, rate in rates.items()
    ]
    samples.append({"measure": "drain-100", "system": "rq", "round": 0, "values": {"rate": 7.0}})
    record = tmp_path / "all.json"
    record.write_text(json.dumps({"samples": samples}))

    assert fastest_peers(record) == ["arq", "rq"]


def test_without_a_record_those_are_taken_that_were_the_fastest_before(tmp_path: Path) -> None:
    peers = fastest_peers(tmp_path / "none.json")

    assert len(peers) == 2
    assert set(peers) <= systems().keys() - set(PAIR)


# --- plots ---


def test_a_bar_is_a_median_with_its_reach_and_the_largest_comes_first() -> None:
    rates = {"arq": [1.0, 3.0, 2.0], OURS: [9.0]}
    samples = [
        {"measure": "add-one", "system": system, "values": {"rate": rate}}
        for system, all_rates in rates.items()
        for rate in all_rates
    ]

    assert bars(samples, "add-one", "rate") == [Bar(OURS, 9, 9, 9), Bar("arq", 2, 1, 3)]
    assert bars(samples, "add-one", "p50_ms") == []


def test_a_picture_has_a_panel_for_each_measure_of_its_groups_that_was_made() -> None:
    samples = [{"measure": key, "system": OURS, "values": {"rate": 9.0}} for key in ("add-one", "addition")]
    titles = {"add-one": "one by one", "add-bulk": "in bulk", "addition": "another"}

    assert panels_of({"titles": titles, "samples": samples}, ("add",), "rate") == {
        "one by one": [Bar(OURS, 9, 9, 9)]
    }
