"""Makes up steps that only look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.fuzz.narrator import Arguments, Maker, Narrator

_PAGES = ("Waiting", "Active", "Delayed", "Prioritized", "Completed", "Failed", "WaitingChildren")
_TYPES = ("waiting", "active", "delayed", "prioritized", "completed", "failed", "waiting-children")
_RANGES = ((0, -1), (0, 0), (1, 2), (2, 5), (-2, -1))


def list_state(story: Narrator) -> Arguments:
    start, end = story.choose.of(_RANGES)
    op = f"queue.get{story.choose.of(_PAGES)}"
    return {"op": op, "queue": story.queue(), "start": start, "end": end}


def list_states(story: Narrator) -> Arguments:
    start, end = story.choose.of(_RANGES[:4])
    types = story.choose.random.sample(_TYPES, story.choose.of((1, 2, 7)))
    asc = story.choose.chance(0.5)
    return {
        "op": "queue.getJobs",
        "queue": story.queue(),
        "types": types,
        "start": start,
        "end": end,
        "asc": asc,
    }


def count(story: Narrator) -> Arguments:
    op = story.choose.of(("queue.count", "queue.getJobCounts", "queue.isPaused"))
    return {"op": op, "queue": story.queue()}


def count_priorities(story: Narrator) -> Arguments:
    return {"op": "queue.getCountsPerPriority", "queue": story.queue(), "priorities": [0, 1, 7]}


def _about(op: str, **more: Any) -> Maker:
    def make(story: Narrator) -> Arguments:
        queue = story.queue()
        return {"op": op, "queue": queue, "id": story.one_of(story.sight.all_ids(queue), queue), **more}

    return make


def _about_parent(op: str, options: Callable[[Narrator], Arguments] = lambda story: {}) -> Maker:
    def make(story: Narrator) -> Arguments:
        queue = story.queue()
        id = story.one_of(story.sight.parents(queue), queue)
        return {"op": op, "job": {"queue": queue, "id": id}, **options(story)}

    return make


def _pages(story: Narrator) -> Arguments:
    kinds = story.choose.random.sample(
        ("processed", "unprocessed", "ignored", "failed"), story.choose.of((1, 2, 4))
    )
    return {"opts": {kind: {"cursor": 0, "count": story.choose.of((1, 20))} for kind in kinds}}


def read_flow(story: Narrator) -> Arguments:
    queue = story.queue()
    options: Arguments = {"queueName": queue, "id": story.one_of(story.sight.parents(queue), queue)}
    return {"op": "flow.getFlow", "opts": options | ({"depth": 2} if story.choose.chance(0.3) else {})}


LOOKING: dict[Maker, int] = {
    list_state: 3,
    list_states: 4,
    count: 2,
    count_priorities: 1,
    _about("queue.getJob"): 4,
    _about("queue.getJobState"): 2,
    _about("queue.getJobLogs", asc=True): 1,
    _about("queue.getJobLogs", asc=False, start=0, end=1): 1,
}
FAMILY: dict[Maker, int] = {
    read_flow: 1,
    _about_parent("job.getChildrenValues"): 1,
    _about_parent("job.getIgnoredChildrenFailures"): 1,
    _about_parent("job.getDependenciesCount"): 1,
    _about_parent("job.getDependencies", _pages): 1,
}
