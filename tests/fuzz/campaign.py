"""Story after story, until one tells BullMQ and toril apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.fuzz.duel import Duel
from tests.fuzz.makers import MAKERS
from tests.fuzz.narrator import Narrator
from tests.fuzz.sight import Sight
from tests.fuzz.story import Step, Story

_FEWEST_STEPS, _MOST_STEPS = 15, 60


@dataclass(frozen=True)
class Finding:
    """A story after whose last step both sides differ.

    Attributes:
        differences: A line each.
    """

    story: Story
    differences: Sequence[str]

    def __str__(self) -> str:
        return "\n".join([self.story.text(), "After its last step:", *self.differences])


@dataclass
class Campaign:
    """Tells stories.

    Attributes:
        stories: How many were told.
        deviations: How often each intended difference was met.
    """

    duel: Duel
    stories: int = 0
    deviations: dict[str, int] = field(default_factory=dict[str, int])

    async def tell(self, seed: str) -> Finding | None:
        """The story of this seed; what is found in it, if anything is."""
        random = Random(seed)
        narrator = Narrator(random, MAKERS)
        story = narrator.beginning()
        steps: list[Step] = []
        self.stories += 1
        async with self.duel.telling(story) as taken:
            for _ in range(random.randint(_FEWEST_STEPS, _MOST_STEPS)):
                step = narrator.next(Sight(taken.dump))
                steps.append(step)
                taken = await self.duel.take(step)
                if taken.deviation:
                    self.deviations[taken.deviation] = self.deviations.get(taken.deviation, 0) + 1
                    return None
                if taken.differences:
                    return Finding(story.told(steps), taken.differences)
                narrator.note(step, taken.answer)
        return None

    async def shortest(self, finding: Finding) -> Finding:
        """The same difference by a story that lacks all that is not needed for it."""
        kind = _kind(finding)
        shrunk = True
        while shrunk:
            shrunk = False
            for size in (8, 4, 2, 1):
                begin = 0
                while begin < len(finding.story.steps) - 1:
                    shorter = await self._without(finding, begin, size)
                    if shorter and _kind(shorter) == kind:
                        finding, shrunk = shorter, True
                    else:
                        begin += size
        return finding

    async def _without(self, finding: Finding, begin: int, size: int) -> Finding | None:
        steps = [*finding.story.steps]
        del steps[begin : min(begin + size, len(steps) - 1)]
        return await self.replayed(finding.story.told(steps))

    async def replayed(self, story: Story) -> Finding | None:
        """What is found when a story is told again, if anything is."""
        found = await self.duel.replay(story)
        if found is None:
            return None
        number, lines = found
        return Finding(story.told(story.steps[: number + 1]), lines)


def _kind(finding: Finding) -> Any:
    """What is kept while a story is made shorter: the last operation."""
    return finding.story.steps[-1]["op"] if finding.story.steps else None
