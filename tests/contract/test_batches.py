"""A batch leaves behind what its jobs would, one after the other: keys, values, events, answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import randoms

from tests.contract.story import LATEST, Add, Change, NewPlan, Settle, Step, Take, Verb, story
from tests.contract.worlds import BatchedWorld, World
from tests.support.database import Dump, Fingerprint
from toril.errors import JobError
from toril.store.values import Finish

# ms by which the life of a key may differ, since the two worlds are not written to at the same instant.
_TTL_SLACK = 60_000

# So many are told, by parts, which several processes share among them.
_STORIES, _PARTS = 300, 6

# The worlds are made once and emptied for each story.
_SLOW_BUT_FINE = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large)
_TOLD = settings(deadline=None, phases=[Phase.generate], suppress_health_check=_SLOW_BUT_FINE)


@dataclass
class Pair:
    """The same story in batches and one by one."""

    batched: BatchedWorld
    single: World

    async def tell(self, story: Sequence[Step]) -> None:
        """Go through a story in both worlds, and compare them after each step."""
        self.batched.begin()
        self.single.begin()
        for number, step in enumerate(story):
            try:
                answer = await self.batched.carry_out(step)
            except JobError:
                assert isinstance(step, Add)
                assert step.how == "atomic"
                # All or none: so there was nothing to do in the other world either.
            else:
                assert answer == await self.single.carry_out(step), f"answers to step {number}: {step}"
            assert self.differences() == [], f"step {number}: {step}"

    def differences(self) -> list[str]:
        """What the databases differ in, a line each."""
        left, right = self.batched.database, self.single.database
        if _same(left.fingerprint(), right.fingerprint()):
            return []
        return differences(left.dump(), right.dump())


def differences(batched: Dump, single: Dump) -> list[str]:
    """What the databases differ in, a line each."""
    lines: list[str] = []
    for key in sorted(batched.keys() | single.keys()):
        left, right = batched.get(key), single.get(key)
        if left is None or right is None:
            lines.append(f"{key}: batched {left}, one by one {right}")
        elif left[:2] != right[:2] or not _alike(left.ttl_ms, right.ttl_ms):
            lines.append(f"{key}:\n  batched    {left}\n  one by one {right}")
    return lines


def _same(left: Fingerprint, right: Fingerprint) -> bool:
    return left.digest == right.digest and all(map(_alike, left.lives_ms, right.lives_ms))


def _alike(left_ms: int, right_ms: int) -> bool:
    return left_ms == right_ms or (left_ms > 0 and right_ms > 0 and abs(left_ms - right_ms) < _TTL_SLACK)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def worlds(url: str, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    # The short way shall be tried again and again where it can't be gone.
    monkeypatch.setattr("toril.store.redis.turns._DETOUR", 0)

    async def open_worlds() -> Pair:
        return Pair(BatchedWorld(url.replace("db=0", "db=1")), World(url.replace("db=0", "db=2")))

    async def close_worlds(pair: Pair) -> None:
        for world in (pair.batched, pair.single):
            world.begin()
            await world.close()

    pair = runner.run(open_worlds())
    yield pair
    runner.run(close_worlds(pair))


@pytest.fixture
def pair(worlds: Pair) -> Iterator[Pair]:
    yield worlds
    assert worlds.batched.turns > 50 // _PARTS


async def reduced(pair: Pair, story: Sequence[Step]) -> list[Step]:
    """A failing story without the steps that it fails without, too."""
    left = list(story)
    for step in story:
        shorter = [other for other in left if other is not step]
        try:
            await pair.tell(shorter)
        except AssertionError:
            left = shorter
    return left


@pytest.mark.parametrize("part", range(_PARTS))
@settings(
    max_examples=_STORIES // _PARTS,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=_SLOW_BUT_FINE,
)
@given(random=randoms(use_true_random=True))
def test_a_batch_is_what_its_jobs_would_be_one_by_one(
    random: Random, pair: Pair, runner: asyncio.Runner, part: int
) -> None:
    told = story(random)
    try:
        runner.run(pair.tell(told))
    except AssertionError:
        shorter = runner.run(reduced(pair, told))
        print(*shorter, sep="\n")
        runner.run(pair.tell(shorter))
        raise


_DONE = Verb(Finish, ("completed", "1", False, 0, (-1, False, False), False))
_FAILED = Verb(Finish, ("failed", "boom", ["failedReason", "boom"], 1, (-1, False, False), False))
_ALL = 20


def _parent_of(*children: NewPlan) -> list[Step]:
    """A parent with these children, which are taken then."""
    return [Add("a", [NewPlan(waits=True)], "many"), Add("a", [*children], "many"), Take("a", _ALL, None)]


# What two rare things make when they meet.
_RARE: dict[str, list[Step]] = {
    "a child is done for which its parent does not wait any more": [
        *_parent_of(NewPlan({"on_failure": "remove"}, parent=LATEST), NewPlan(parent=LATEST)),
        Settle("a", 1, [_FAILED], [], 0, None),
        Change("a", "retry", 1, 0),
        Take("a", _ALL, None),
        Settle("a", _ALL, [_DONE], [], 0, None),
    ],
    "children of several parents are done, one of which waits for more": [
        *_parent_of(NewPlan(parent=LATEST), NewPlan(parent=LATEST)),
        *_parent_of(NewPlan(parent=LATEST), NewPlan(parent=LATEST)),
        Settle("a", 3, [_DONE], [], 0, None),
    ],
}


@pytest.mark.parametrize("name", _RARE)
def test_a_batch_is_that_too_when_rare_things_meet(name: str, worlds: Pair, runner: asyncio.Runner) -> None:
    runner.run(worlds.tell(_RARE[name]))
