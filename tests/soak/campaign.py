"""The soak: jobs are added, trouble comes, and in the end all is counted."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.soak.evidence import Evidence, gather
from tests.soak.judge import judge
from tests.soak.plan import Plan
from tests.soak.producer import TICK, Producer
from tests.soak.stage import Stage
from tests.soak.troubles import Trouble
from tests.soak.work import PARENTS
from tests.support.eventually import eventually_sync

# Seconds for all that was added to be done, once nothing stands in the way.
_DRAIN = 120.0
_UNDONE = ("waiting", "active", "delayed", "prioritized", "waiting-children")
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it.

    Attributes:
        wrong: A line each.
    """

    stage: Stage
    evidence: Evidence
    wrong: list[str]


class Soak:
    """A soak in a folder.

    Args:
        say: Hears each minute what has happened.
    """

    def __init__(self, plan: Plan, folder: Path, say: Callable[[str], None] = print) -> None:
        self._plan = plan
        self._folder = folder
        self._say = say
        self._random = Random(plan.seed)

    def run(self, troubles: Iterable[Trouble], seconds: float = float("inf")) -> Verdict:
        """Make these troubles, as many as there is time for; then let all be done, and judge."""
        stage = Stage(self._folder)
        with stage, Producer(stage.server.url, stage.ledger, self._plan) as producer:
            self._trouble(stage, producer, troubles, time.monotonic() + seconds)
            producer.stop()
            self._drain(stage, producer)
            stage.leave(stage.service, signal.SIGTERM)
            with stage.server.database() as database:
                evidence = gather(stage.ledger, database)
        return Verdict(stage, evidence, [*stage.faults, *judge(evidence, stage.excuses)])

    def _trouble(self, stage: Stage, producer: Producer, troubles: Iterable[Trouble], end: float) -> None:
        told, tell_at = stage.troubles.copy(), time.monotonic() + _MINUTE
        for trouble in troubles:
            time.sleep(max(min(self._random.uniform(*self._plan.pauses), end - time.monotonic()), 0))
            if time.monotonic() >= end:
                break
            trouble(stage, self._random)
            stage.troubles[trouble.__name__] += 1
            if time.monotonic() >= tell_at:
                self._tell(producer, stage.troubles - told)
                told, tell_at = stage.troubles.copy(), tell_at + _MINUTE

    def _tell(self, producer: Producer, troubles: Counter[str]) -> None:
        done = sum(queue.get_completed_count() for queue in producer.queues.values())
        happened = ", ".join(f"{n} × {name.replace('_', ' ')}" for name, n in troubles.items())
        self._say(f"{producer.count} jobs added, {done} completed with those of the scheduler; {happened}")

    def _drain(self, stage: Stage, producer: Producer) -> None:
        """Wait until all is done; before that, the scheduler must show that it lives."""
        parents = producer.queues[PARENTS]
        before = _ticks(producer)
        try:
            eventually_sync(lambda: _ticks(producer) > before, _DRAIN)
        except AssertionError:
            stage.faults.append("the job scheduler is dead")
        parents.remove_job_scheduler(TICK)
        try:
            eventually_sync(
                lambda: not any(q.get_job_count_by_types(*_UNDONE) for q in producer.queues.values()), _DRAIN
            )
        except AssertionError:
            stage.faults.append(f"not all was done {_DRAIN:g} s after the last trouble")


def _ticks(producer: Producer) -> int:
    scheduler = producer.queues[PARENTS].get_job_scheduler(TICK)
    return scheduler.iteration_count if scheduler is not None else 0
