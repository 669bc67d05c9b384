"""What ``toril worker`` is told: sizes, ports, numbers of processes, targets."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from toril import OptionError, Worker
from toril.supervise.plan import Plan, byte_count, place_of, process_range
from toril.supervise.target import TargetFailed, choose, load

MODULE = """
from toril import Worker

def handler(job): ...

mail, images = Worker("mail", handler), Worker("images", handler)

class App:
    def workers(self):
        return (mail, [images, mail])

app, number, broken = App(), 3, lambda: 1 / 0

async def make():
    return [mail]

def leave():
    raise SystemExit(7)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A module of a name of its own, in the working folder."""
    name = f"target_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return name


@pytest.mark.parametrize(
    ("text", "size"),
    [("1024", 1024), ("512MB", 512 << 20), ("1.5GiB", 3 << 29), ("2 kb", 2048), ("1t", 1 << 40)],
)
def test_sizes(text: str, size: int) -> None:
    assert byte_count(text) == size


@pytest.mark.parametrize(
    ("text", "place"),
    [("9000", ("127.0.0.1", 9000)), ("0.0.0.0:80", ("0.0.0.0", 80)), ("[::]:0", ("::", 0))],
)
def test_places(text: str, place: tuple[str, int]) -> None:
    assert place_of(text) == place


def test_numbers_of_processes() -> None:
    cores = len(os.sched_getaffinity(0))
    ranges = [process_range(text) for text in ("3", "auto", "2-5", "1-auto")]

    assert [(one.min, one.max) for one in ranges] == [(3, 3), (cores, cores), (2, 5), (1, cores)]


def test_a_plan_reaches_processes_as_it_is() -> None:
    plan = Plan(target="a:b", processes=process_range("1-3"))

    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan
    assert plan.scales
    assert not Plan(target="a:b", processes=process_range("3")).scales


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *((byte_count, text) for text in ("", "0", "big", "-1MB", "5XB")),
        *((place_of, text) for text in ("", "x", "65536", "host:", "-1")),
        *((process_range, text) for text in ("", "0", "two", "-1", "1.5", "1-", "0-2", "1-2-3")),
        (process_range, "4-2"),
        (process_range, "100000"),
        (process_range, "1-1001"),
        (process_range, "\N{ARABIC-INDIC DIGIT ZERO}"),
        (process_range, "9" * 5000),
    ],
)
def test_what_can_not_be_read_is_named(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(OptionError) as refused:
        read(text)

    assert refused.value.value == text
    assert "such as" in str(refused.value) or "must be" in str(refused.value) or "give" in str(refused.value)


def test_contradictions() -> None:
    with pytest.raises(OptionError, match="--reload stays"):
        Plan(target="a:b", burst=True, reload=True)
    with pytest.raises(OptionError, match="processes='1-2'"):
        Plan(target="a:b", processes=process_range("1-2"), reload=True)
    with pytest.raises(OptionError, match="processes=2:"):
        Plan(target="a:b", processes=process_range("2"), reload=True)


@pytest.mark.parametrize(
    ("name", "queues"), [("mail", ["mail"]), ("app", ["mail", "images"]), ("make", ["mail"])]
)
def test_targets(module: str, name: str, queues: list[str]) -> None:
    assert [worker.queue_name for worker in load(f"{module}:{name}")] == queues


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("App", "is the class App"),
        ("number", "is of type int"),
        ("handler", "missing 1 required positional argument"),
        ("broken", "ZeroDivisionError"),
        ("leave", "SystemExit: 7"),
        ("imges", "did you mean 'images'?"),
        ("app.wrkers", "there is no 'wrkers' in App; did you mean 'workers'?"),
    ],
)
def test_targets_that_are_none(module: str, name: str, said: str) -> None:
    with pytest.raises((OptionError, TargetFailed)) as refused:
        load(f"{module}:{name}")

    assert said in str(refused.value)


@pytest.mark.parametrize(
    "target", ["", "shop", "shop:", ":workers", "./shop:workers", ".shop:workers", "a b:c"]
)
def test_what_names_no_module_is_no_fault_of_the_users_code(target: str) -> None:
    with pytest.raises(OptionError, match="give module:target, such as") as refused:
        load(target)

    assert refused.value.option == "target"


def test_queues_are_chosen_by_pattern() -> None:
    workers = [Worker(name) for name in ("mail", "report-day", "report-week")]

    assert choose(workers, []) == workers
    assert choose(workers, ["report-*"]) == workers[1:]
    assert choose(workers, ["mail", "*day"]) == workers[:2]
    with pytest.raises(OptionError, match="did you mean 'mail'"):
        choose(workers, ["mail", "mial"])
