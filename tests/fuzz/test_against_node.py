"""Random stories leave the same behind in BullMQ for Node and in toril: keys, values, lives, events, answers.

The seeds are fixed, so each run tells the same stories; ``make fuzz`` tells others, for as long as one likes.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.fuzz.campaign import Campaign
from tests.fuzz.duel import Duel
from tests.fuzz.story import Story, read_story

SEEDS = range(8)
STORIES_A_SEED = 15


@pytest.mark.parametrize("seed", SEEDS)
def test_both_sides_do_the_same(seed: int, duel: Duel, runner: asyncio.Runner) -> None:
    async def tell() -> None:
        campaign = Campaign(duel)
        for number in range(STORIES_A_SEED):
            finding = await campaign.tell(f"test {seed}/{number}")
            if finding is not None:
                pytest.fail(str(await campaign.shortest(finding)))

    before = duel.steps
    runner.run(tell())

    assert duel.steps - before > 100


def test_a_difference_is_found_and_its_story_made_short(duel: Duel, runner: asyncio.Runner) -> None:
    # Data that is null is the one thing here that the two are meant to take differently.
    steps = [
        *({"at": n, "op": "queue.add", "queue": "a", "name": "n", "as": f"j{n}"} for n in range(9)),
        {"at": 9, "op": "job.promote", "job": "j4"},
        {
            "at": 10,
            "op": "queue.upsertJobScheduler",
            "queue": "a",
            "id": "s",
            "repeat": {"every": 1000},
            "template": {"data": None},
        },
    ]
    story = Story({"a": {}}, {}, steps)

    async def tell() -> Story:
        campaign = Campaign(duel)
        finding = await campaign.replayed(story)
        assert finding is not None
        return (await campaign.shortest(finding)).story

    assert runner.run(tell()).steps == steps[-1:]


def test_a_story_is_told_again_from_its_text(tmp_path: Path, duel: Duel, runner: asyncio.Runner) -> None:
    add = {"at": 1, "op": "queue.add", "queue": "a", "name": "ä", "opts": {"delay": 5}}
    story = Story({"a": {}}, {"w": {"queue": "a", "opts": {}}}, [add])
    path = tmp_path / "story.json"
    path.write_text(story.text(), encoding="utf-8")

    assert read_story(path) == story
    assert runner.run(duel.replay(read_story(path))) is None
