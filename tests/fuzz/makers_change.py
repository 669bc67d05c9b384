"""Makes up steps that change jobs and queues in other ways than by working on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.fuzz.choices import LONG_MS, SCHEDULERS
from tests.fuzz.deviations import NOT_IN_TEMPLATES
from tests.fuzz.narrator import Arguments, Maker, Narrator
from tests.fuzz.story import PREFIX


def _on_job(op: str, *states: str, **options: Callable[[Narrator], Any]) -> Maker:
    """Makes steps on a job, mostly one in these states; the options are made up anew for each."""

    def make(story: Narrator) -> Arguments:
        return {
            "op": op,
            "job": story.job(*states),
            **{name: option(story) for name, option in options.items()},
        }

    return make


def on_queue(op: str, **options: Callable[[Narrator], Any]) -> Maker:
    """Makes steps on a queue; the options are made up anew for each."""

    def make(story: Narrator) -> Arguments:
        return {"op": op, "queue": story.queue(), **{name: option(story) for name, option in options.items()}}

    return make


def one_of(*values: Any) -> Callable[[Narrator], Any]:
    """One of these, another one for each step."""
    return lambda story: story.choose.of(values)


_FINISHED = ("completed", "failed")
_OPEN = ("wait", "active", "delayed", "prioritized")


def retry(story: Narrator) -> Arguments:
    state = story.choose.of(_FINISHED)
    step: Arguments = {"op": "job.retry", "job": story.job(state), "state": state}
    if story.choose.chance(0.4):
        step["opts"] = {
            name: True for name in ("resetAttemptsMade", "resetAttemptsStarted") if story.choose.chance(0.5)
        }
    return step


def change_priority(story: Narrator) -> Arguments:
    options: Arguments = {"priority": story.choose.of((0, 1, 7))}
    if story.choose.chance(0.3):
        options["lifo"] = True
    return {"op": "job.changePriority", "job": story.job("wait", "prioritized"), "opts": options}


def retry_jobs(story: Narrator) -> Arguments:
    options: Arguments = {"state": story.choose.of(_FINISHED), "count": story.choose.of((1, 2, 1000))}
    if story.choose.chance(0.3):
        options["timestamp"] = story.choose.now_ms - 1000
    return {"op": "queue.retryJobs", "queue": story.queue(), "opts": options}


CHANGING: dict[Maker, int] = {
    _on_job("job.promote", "delayed"): 3,
    _on_job("job.changeDelay", "delayed", delay=one_of(0, 1, 1000, 60_000)): 3,
    change_priority: 3,
    retry: 4,
    _on_job("job.updateData", *_OPEN, data=lambda story: story.choose.data()): 1,
    _on_job("job.updateProgress", *_OPEN, progress=one_of(0, 50, "half", {"at": 1})): 1,
    _on_job("job.log", *_OPEN, row=one_of("one", "two\nlines", "")): 2,
    _on_job("job.clearLogs", *_OPEN, keepLogs=one_of(0, 1)): 1,
}


def add_log(story: Narrator) -> Arguments:
    queue = story.queue()
    return {"op": "queue.addJobLog", "queue": queue, "id": story.id(queue, *_OPEN), "row": "r", "keepLogs": 2}


def publish(story: Narrator) -> Arguments:
    event = {"eventName": "greet", "to": story.choose.of(("you", "")), "count": 2}
    return {"op": "events.publish", "queue": story.queue(), "event": event}


def rest(story: Narrator) -> Arguments:
    """A worker takes no jobs until it goes on, which others do not see."""
    worker = story.worker()
    story.afterwards(
        {"op": "worker.fetch", "worker": worker, "token": "t", "as": story.fresh("h")},
        {"op": "worker.resume", "worker": worker},
    )
    return {"op": "worker.pause", "worker": worker}


def pause_as_version_5(story: Narrator) -> Arguments:
    base = f"{PREFIX}:{story.queue()}:"
    # What it left behind when it was paused.
    return {"op": "redis", "args": ["RPOPLPUSH", f"{base}wait", f"{base}paused"]}


STEERING: dict[Maker, int] = {
    pause_as_version_5: 1,
    publish: 1,
    rest: 1,
    on_queue("queue.updateJobProgress", id=one_of("1", "2", "x"), progress=one_of(7, {"at": 2})): 1,
    on_queue("queue.pause"): 3,
    on_queue("queue.resume"): 4,
    retry_jobs: 3,
    on_queue("queue.promoteJobs", opts=one_of({}, {"count": 1}, {"count": 1000})): 2,
    add_log: 1,
}


def remove(story: Narrator) -> Arguments:
    queue = story.queue()
    with_children = {"opts": {"removeChildren": False}} if story.choose.chance(0.4) else {}
    id = story.one_of([*story.sight.parents(queue), *story.sight.all_ids(queue)], queue)
    if story.choose.chance(0.5):
        return {"op": "queue.remove", "queue": queue, "id": id, **with_children}
    return {"op": "job.remove", "job": {"queue": queue, "id": id}, **with_children}


REMOVING: dict[Maker, int] = {remove: 4}


def lose_lock(story: Narrator) -> Arguments | None:
    queue = story.queue()
    locked = story.sight.locked(queue)
    if not locked:
        return None
    # What is not renewed in time.
    return {"op": "redis", "args": ["DEL", f"{PREFIX}:{queue}:{story.choose.of(locked)}:lock"]}


def check_stalled(story: Narrator) -> Arguments:
    worker = story.worker()
    check = {"op": "worker.checkStalled", "worker": worker}
    # The time between two checks has passed.
    story.afterwards(check)
    return {"op": "redis", "args": ["DEL", f"{PREFIX}:{story.workers[worker]}:stalled-check"]}


STALLING: dict[Maker, int] = {lose_lock: 3, check_stalled: 5}


def forget_duplicates(story: Narrator) -> Arguments:
    id = story.choose.of(("d", "e"))
    # The time in which duplicates were left out has passed.
    return {"op": "redis", "args": ["DEL", f"{PREFIX}:{story.queue()}:de:{id}"]}


def vanish(story: Narrator) -> Arguments | None:
    queue = story.queue()
    ids = [id for state in _FINISHED for id in story.sight.ids(queue, state)]
    ids += [*story.sight.owners(queue), *story.sight.parents(queue)]
    if not ids:
        return None
    # Evicted, say, or removed by hand.
    return {"op": "redis", "args": ["DEL", f"{PREFIX}:{queue}:{story.choose.of(ids)}"]}


VANISHING: dict[Maker, int] = {vanish: 1}
EXPIRING: dict[Maker, int] = {
    forget_duplicates: 1,
    on_queue("queue.rateLimit", ms=one_of(LONG_MS)): 1,
    lambda story: {"op": "redis", "args": ["DEL", f"{PREFIX}:{story.queue()}:limiter"]}: 1,
}


def upsert_scheduler(story: Narrator) -> Arguments:
    template: Arguments = {"opts": story.choose.job_options()}
    # See deviations.py.
    for name in NOT_IN_TEMPLATES:
        template["opts"].pop(name, None)
    data = story.choose.data()
    if data is not None:
        template["data"] = data
    if story.choose.chance(0.5):
        template["name"] = "beat"
    return {
        "op": "queue.upsertJobScheduler",
        "queue": story.queue(),
        "id": story.choose.of(SCHEDULERS),
        "repeat": story.choose.repeat(),
        "template": template,
    }


SCHEDULING: dict[Maker, int] = {
    upsert_scheduler: 5,
    on_queue("queue.removeJobScheduler", id=one_of(*SCHEDULERS)): 1,
    on_queue("queue.getJobScheduler", id=one_of(*SCHEDULERS)): 1,
    on_queue("queue.getJobSchedulers", asc=one_of(True, False)): 1,
}
