"""A story: the queues, the workers and the steps, in the language of the recordings (see tests/golden)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

#: The prefix of all queues.
PREFIX = "bull"

#: Where the clock of each story begins: 2030-01-01 00:00:00 UTC, in ms since 1970.
T0_MS = 1_893_456_000_000

Step = Mapping[str, Any]
#: As BullMQ names them.
Options = Mapping[str, Any]


@dataclass(frozen=True)
class Story:
    """What is opened, and what then happens.

    Attributes:
        queues: Options of the queues, by name.
        workers: Queue and options of the workers, by handle.
        steps: Each with ``op``, its arguments, and ``at``: ms after the beginning.
    """

    queues: Mapping[str, Options]
    workers: Mapping[str, Options]
    steps: Sequence[Step] = field(default_factory=list[Step])

    def told(self, steps: Sequence[Step]) -> Self:
        """The same queues and workers, with other steps."""
        return replace(self, steps=list(steps))

    def text(self) -> str:
        """The story as JSON, a step a line; ``read_story`` reads it."""
        steps = ",\n  ".join(json.dumps(step, ensure_ascii=False) for step in self.steps)
        queues, workers = (json.dumps(options) for options in (self.queues, self.workers))
        return f'{{"queues": {queues},\n "workers": {workers},\n "steps": [\n  {steps}\n ]}}\n'


def read_story(path: Path) -> Story:
    """A story that was written as ``Story.text``."""
    return Story(**json.loads(path.read_text(encoding="utf-8")))
