"""Makes up a story, step by step, looking at what the steps so far have left behind.

Each story has a taste of its own: a few options of jobs, a few kinds of steps. What goes wrong only when two
rare things meet is found sooner so than by stories that have a little of everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.fuzz.choices import IDS, QUEUES, Choices
from tests.fuzz.sight import Sight
from tests.fuzz.story import T0_MS, Story
from tests.golden.values import JSON, as_text

Arguments = dict[str, Any]

# ms that pass before a step: often none, so that things happen in the same one.
_PAUSES_MS = (*(0,) * 4, *(1,) * 8, 2, 500, 1000, 10_000, 61_000, 700_000)


@dataclass(frozen=True)
class Held:
    """A job that a worker has taken.

    Attributes:
        handle: By which steps refer to it.
        used: A step has tried to settle it; see deviations.py.
    """

    handle: str
    worker: str
    queue: str
    id: str
    token: str
    used: bool = False


class Narrator:
    """Makes up one story.

    Attributes:
        choose: The random choices.
        sight: The database as the last step left it.
        held: Jobs that workers have taken, and that are not settled as far as the narrator knows.
        queues: Names of those that the story has.
        workers: Their queues, by handle.
    """

    def __init__(self, random: Random, makers: Mapping[str, Mapping[Maker, int]]) -> None:
        self.choose = Choices(random)
        self.sight = Sight({})
        self.held: list[Held] = []
        # Often there is one queue only, which then has more to tell.
        self.queues = self.choose.of((QUEUES, QUEUES[:1]))
        self.workers = {
            f"w{queue}{n}": queue for queue in self.queues for n in range(self.choose.of((1, 1, 2)))
        }
        self._groups = _taste(random, makers)
        self._at_ms = 0
        self._count = 0
        self._holders: dict[str, str] = {}
        self._waiting: list[Arguments] = []

    def beginning(self) -> Story:
        """The story without steps."""
        queues: dict[str, Any] = {queue: {} for queue in self.queues}
        if self.choose.chance(0.2):
            queues[self.queues[0]] = {"defaultJobOptions": self.choose.default_options()}
        workers = {
            handle: {"queue": queue, "opts": self.choose.worker_options(), "backoffStrategy": "demo"}
            for handle, queue in self.workers.items()
        }
        return Story(queues, workers)

    def next(self, sight: Sight) -> Arguments:
        """The next step."""
        self.sight = sight
        self._count += 1
        self._at_ms += self.choose.of(_PAUSES_MS)
        self.choose.now_ms = T0_MS + self._at_ms
        step = self._waiting.pop(0) if self._waiting else None
        while step is None:
            step = self._made()
        return {"at": self._at_ms, **step}

    def _made(self) -> Arguments | None:
        group = self.choose.of(self._groups)
        maker = self.choose.random.choices([*group], [*group.values()])[0]
        return maker(self)

    def afterwards(self, *steps: Arguments) -> None:
        """These steps come next."""
        self._waiting += steps

    def note(self, step: Mapping[str, Any], answer: JSON) -> None:
        """Remember what jobs a step has made a worker hold."""
        if not isinstance(answer, dict) or "error" in answer:
            return
        if step["op"] == "worker.fetch":
            view = answer["job"] if "errors" in answer else answer
            if isinstance(view, dict):
                self._hold(step["as"], step["worker"], as_text(view["id"]), step["token"])
        elif "nextAs" in step and answer.get("next"):
            found = answer["next"]
            id = as_text(found["id"] if isinstance(found, dict) else found)
            self._hold(step["nextAs"], self._holders[step["job"]], id, step["token"])

    def _hold(self, handle: str, worker: str, id: str, token: str) -> None:
        self._holders[handle] = worker
        self.held.append(Held(handle, worker, self.workers[worker], id, token))

    # --- what makers choose among ---

    def fresh(self, kind: str) -> str:
        """A name that no step has used."""
        return f"{kind}{self._count}"

    def queue(self) -> str:
        """One of the queues."""
        return self.choose.of(self.queues)

    def worker(self) -> str:
        """One of the workers."""
        return self.choose.of([*self.workers])

    def id(self, queue: str, *states: str) -> str:
        """The id of a job, mostly of one in these states."""
        fitting = [id for state in states for id in self.sight.ids(queue, state)]
        return self.one_of(fitting, queue)

    def one_of(self, ids: Sequence[str], queue: str) -> str:
        """Mostly one of these; now and then any job of the queue, or one that may not exist."""
        if ids and self.choose.chance(0.85):
            return self.choose.of(ids)
        known = self.sight.all_ids(queue)
        return (
            self.choose.of(known) if known and self.choose.chance(0.7) else self.choose.of((*IDS, "1", "99"))
        )

    def job(self, *states: str) -> Arguments:
        """A job as steps refer to one that is to be looked up, mostly one in these states."""
        queue = self.queue()
        return {"queue": queue, "id": self.id(queue, *states)}

    def place(self) -> tuple[str, str]:
        """The queue and the id of a job in any state."""
        queue = self.queue()
        return queue, self.one_of([*self.sight.ids(queue, "active"), *self.sight.parents(queue)], queue)

    def taken(self, *, fresh: bool = False) -> Held | None:
        """A job that a worker holds, to be settled; it is mostly forgotten.

        Args:
            fresh: Not one that another step has tried to settle.
        """
        fitting = [held for held in self.held if not (fresh and held.used)]
        if not fitting:
            return None
        held = self.choose.of(fitting)
        self.held.remove(held)
        if self.choose.chance(0.1):
            self.held.append(replace(held, used=True))
        return held

    def seen(self) -> Held | None:
        """A job that a worker holds, and goes on to hold."""
        return self.choose.of(self.held) if self.held else None

    def token(self, held: Held) -> str:
        """Its lock token, now and then a wrong one or the one that counts as any."""
        return held.token if self.choose.chance(0.93) else self.choose.of(("stale", "0"))


Maker = Callable[[Narrator], "Arguments | None"]


def _taste(random: Random, makers: Mapping[str, Mapping[Maker, int]]) -> list[Mapping[Maker, int]]:
    """Groups of makers; jobs are always added and worked on, the others come and go."""
    always = [makers["adding"], makers["working"], makers["working"]]
    others = [name for name in makers if name not in ("adding", "working")]
    return always + [makers[name] for name in random.sample(others, random.randint(1, 4))]
