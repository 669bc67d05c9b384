"""Makes up steps that limit a queue, clear it, or take jobs out of what hangs together."""

from __future__ import annotations

from tests.fuzz.choices import DEDUPLICATION_IDS, LONG_MS
from tests.fuzz.makers_change import on_queue, one_of
from tests.fuzz.narrator import Arguments, Maker, Narrator
from tests.fuzz.sight import STATES
from tests.fuzz.story import PREFIX

LIMITING: dict[Maker, int] = {
    on_queue("queue.setGlobalConcurrency", concurrency=one_of(1, 2, 3)): 4,
    on_queue("queue.getGlobalConcurrency"): 1,
    on_queue("queue.removeGlobalConcurrency"): 2,
    on_queue("queue.isMaxed"): 1,
    on_queue("queue.setGlobalRateLimit", max=one_of(1, 2, 4), duration=one_of(LONG_MS)): 3,
    on_queue("queue.getGlobalRateLimit"): 1,
    on_queue("queue.removeGlobalRateLimit"): 2,
    on_queue("queue.rateLimit", ms=one_of(LONG_MS)): 1,
    on_queue("queue.removeRateLimitKey"): 3,
    on_queue("queue.getRateLimitTtl", maxJobs=one_of(0, 1, 5)): 2,
}


def clean(story: Narrator) -> Arguments:
    states = ("completed", "failed", "wait", "active", "delayed", "prioritized", "paused")
    return {
        "op": "queue.clean",
        "queue": story.queue(),
        "grace": story.choose.of((0, 0, 1000, 60_000)),
        "limit": story.choose.of((0, 1, 2, 100)),
        "type": story.choose.of(states),
    }


def obliterate(story: Narrator) -> Arguments:
    options: Arguments = {"force": story.choose.chance(0.7)}
    if story.choose.chance(0.3):
        options["count"] = 1
    return {"op": "queue.obliterate", "queue": story.queue(), "opts": options}


CLEARING: dict[Maker, int] = {
    on_queue("queue.drain", delayed=one_of(False, True)): 3,
    clean: 6,
    obliterate: 1,
}


def orphan(story: Narrator) -> Arguments | None:
    queue = story.queue()
    state = story.choose.of(("wait", "completed", "delayed", "failed"))
    ids = story.sight.ids(queue, state)
    if not ids:
        return None
    story.afterwards({"op": "queue.removeOrphanedJobs", "queue": queue})
    # An accident: the job is in no state any more.
    words = (
        ("LREM", f"{PREFIX}:{queue}:wait", 0) if state == "wait" else ("ZREM", f"{PREFIX}:{queue}:{state}")
    )
    return {"op": "redis", "args": [*words, story.choose.of(ids)]}


ORPHANS: dict[Maker, int] = {orphan: 3, on_queue("queue.removeOrphanedJobs"): 1}


def _on_relative(op: str, parents: bool) -> Maker:
    def make(story: Narrator) -> Arguments:
        queue = story.queue()
        ids = story.sight.parents(queue) if parents else story.sight.children(queue)
        return {"op": op, "job": {"queue": queue, "id": story.one_of(ids, queue)}}

    return make


UNTYING: dict[Maker, int] = {
    _on_relative("job.removeUnprocessedChildren", parents=True): 2,
    _on_relative("job.removeChildDependency", parents=False): 3,
}


def free_owner(story: Narrator) -> Arguments:
    queue = story.queue()
    id = story.one_of(story.sight.owners(queue), queue)
    return {"op": "job.removeDeduplicationKey", "job": {"queue": queue, "id": id}}


FREEING: dict[Maker, int] = {
    free_owner: 1,
    on_queue("queue.removeDeduplicationKey", id=one_of(*DEDUPLICATION_IDS)): 1,
    on_queue("queue.getDeduplicationJobId", id=one_of(*DEDUPLICATION_IDS)): 1,
}


def list_ranges(story: Narrator) -> Arguments:
    start, end = story.choose.of(((0, -1), (0, 0), (1, 2), (2, 5)))
    types = story.choose.random.sample(STATES, story.choose.of((1, 2, 7)))
    asc = story.choose.chance(0.5)
    return {
        "op": "queue.getRanges",
        "queue": story.queue(),
        "types": types,
        "start": start,
        "end": end,
        "asc": asc,
    }


def page_of_children(story: Narrator) -> Arguments:
    queue = story.queue()
    start, end = story.choose.of(((0, -1), (0, 0), (1, 2)))
    return {
        "op": "queue.getDependencies",
        "queue": queue,
        "id": story.one_of(story.sight.parents(queue), queue),
        "type": story.choose.of(("processed", "pending")),
        "start": start,
        "end": end,
    }


def count_due(story: Narrator) -> Arguments:
    at = story.choose.now_ms + story.choose.of((-1, 0, 1, 1000, 60_000))
    return {"op": "queue.getDelayedCount", "queue": story.queue(), "timestamp": at}


SURVEYING: dict[Maker, int] = {
    list_ranges: 3,
    count_due: 1,
    page_of_children: 2,
    on_queue("queue.getMetrics", type=one_of("completed", "failed")): 2,
}
