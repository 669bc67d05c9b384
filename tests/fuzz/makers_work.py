"""Makes up steps that add jobs, take them and settle them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.fuzz.choices import IDS, LONG_MS
from tests.fuzz.narrator import Arguments, Held, Maker, Narrator
from tests.golden.values import JSON

_ERRORS = (
    *({"message": "boom"},) * 4,
    *(
        {"message": ""},
        {"name": "UnrecoverableError", "message": "hopeless"},
        {"name": "TypeError", "message": "odd"},
    ),
)
_RESULTS: Sequence[JSON] = (None, 0, 1, "", "done", {"n": 1}, [], False)


# --- adding ---


def add(story: Narrator) -> Arguments:
    step = {"op": "queue.add", "queue": story.queue(), **_job(story)}
    return step | ({"as": story.fresh("j")} if story.choose.chance(0.2) else {})


def _job(story: Narrator) -> Arguments:
    job: Arguments = {"name": story.choose.of(("n", "m")), "opts": story.choose.job_options(story.place)}
    return job | ({"data": story.choose.data()} if story.choose.chance(0.7) else {})


def add_bulk(story: Narrator) -> Arguments:
    jobs = [_job(story) for _ in range(story.choose.of((1, 2, 3, 6)))]
    return {"op": "queue.addBulk", "queue": story.queue(), "jobs": jobs}


def add_flow(story: Narrator) -> Arguments:
    step: Arguments = {"op": "flow.add", "flow": _tree(story, story.choose.of((1, 2, 3)), "f")}
    if story.choose.chance(0.2):
        options = {"queuesOptions": {story.queue(): {"defaultJobOptions": {"attempts": 2}}}}
        step["opts"] = options
    return step


def add_flows(story: Narrator) -> Arguments:
    flows = [_tree(story, story.choose.of((1, 2)), f"g{n}") for n in range(2)]
    return {"op": "flow.addBulk", "flows": flows}


def _tree(story: Narrator, depth: int, path: str) -> dict[str, Any]:
    """Every job of a tree is given an id, because both sides would invent different ones."""
    queue = story.queue()
    options = story.choose.job_options(story.place if path == "f" else None)
    options.pop("deduplication", None) if depth > 1 else None
    options["jobId"] = story.choose.of(IDS) if story.choose.chance(0.2) else story.fresh(path)
    node: dict[str, Any] = {"name": "n", "queueName": queue, "data": {"at": path}, "opts": options}
    if depth > 1:
        count = story.choose.of((0, 1, 2, 3))
        node["children"] = [_tree(story, depth - 1, f"{path}{n}-") for n in range(count)]
    return node


# --- taking and settling ---


def fetch(story: Narrator) -> Arguments:
    token = story.fresh("t")
    return {"op": "worker.fetch", "worker": story.worker(), "token": token, "as": story.fresh("h")}


def _settling(story: Narrator, op: str, *, fresh: bool = False, **arguments: Any) -> Arguments | None:
    held = story.taken(fresh=fresh)
    if held is None:
        return None
    step: Arguments = {"op": op, "job": held.handle, "token": story.token(held), **arguments}
    if story.choose.chance(0.4):
        step |= {"fetchNext": True, "nextAs": story.fresh("h")}
    return step


def complete(story: Narrator) -> Arguments | None:
    return _settling(story, "job.complete", result=story.choose.of(_RESULTS))


def fail(story: Narrator) -> Arguments | None:
    return _settling(story, "job.fail", fresh=True, error=story.choose.of(_ERRORS))


def process(story: Narrator) -> Arguments | None:
    held = story.taken(fresh=True)
    if held is None:
        return None
    processor = _processor(story, held)
    step = {
        "op": "worker.process",
        "worker": held.worker,
        "job": held.handle,
        "token": held.token,
        "processor": processor,
    }
    return step | ({"fetchNext": True, "nextAs": story.fresh("h")} if story.choose.chance(0.4) else {})


def _processor(story: Narrator, held: Held) -> Arguments:
    mine = {"job": "$job", "token": held.token}
    soon = story.choose.now_ms + story.choose.of((0, 1, 1000))
    reports = [
        {"op": "job.updateProgress", "job": "$job", "progress": 5},
        {"op": "job.log", "job": "$job", "row": "r"},
    ]
    moved = {
        "DelayedError": [{"op": "job.moveToDelayed", "timestamp": soon, **mine}],
        "WaitingError": [{"op": "job.moveToWait", **mine}],
        "WaitingChildrenError": [{"op": "job.moveToWaitingChildren", **mine}],
        "RateLimitError": [{"op": "queue.rateLimit", "queue": held.queue, "ms": LONG_MS}],
    }
    what = story.choose.of(("return", "return", "throw", "report", *moved))
    if what in moved:
        return {"steps": moved[what], "throw": {"name": what}}
    if what == "throw":
        return {"throw": story.choose.of(_ERRORS)}
    return {"return": story.choose.of(_RESULTS), **({"steps": reports} if what == "report" else {})}


def move(story: Narrator) -> Arguments | None:
    held = story.taken()
    if held is None:
        return None
    mine: Arguments = {"job": held.handle, "token": story.token(held)}
    match story.choose.of(("delayed", "wait", "children")):
        case "delayed":
            at = story.choose.now_ms + story.choose.of((-5, 0, 1, 1000, 60_000))
            return {"op": "job.moveToDelayed", "timestamp": at, **mine}
        case "wait":
            return {"op": "job.moveToWait", **mine}
        case _:
            step: Arguments = {"op": "job.moveToWaitingChildren", **mine}
            if story.choose.chance(0.2):
                queue, id = story.place()
                step["opts"] = {"child": {"queue": f"bull:{queue}", "id": id}}
            return step


def renew(story: Narrator) -> Arguments | None:
    held = story.seen()
    if held is None:
        return None
    if story.choose.chance(0.5):
        return {"op": "job.extendLock", "job": held.handle, "token": story.token(held), "duration": 20_000}
    return {
        "op": "worker.extendLocks",
        "worker": held.worker,
        "ids": [held.id, "gone"],
        "tokens": [story.token(held), "t"],
        "duration": 40_000,
    }


ADDING: dict[Maker, int] = {add: 6, add_bulk: 3}
FLOWS: dict[Maker, int] = {add_flow: 4, add_flows: 1}
WORKING: dict[Maker, int] = {fetch: 6, complete: 4, fail: 4, process: 2, move: 2, renew: 1}
