"""Cancelling a job, and the jobs below it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from toril.errors import JobNotFound, JobNotInState
from toril.model.cancellation import Cancellation
from toril.model.keep import resolve_keep
from toril.model.names import QueueRef, split_job_key
from toril.store.contract import Store

# Children that are read, or cancelled, at a time.
_MOST_AT_ONCE = 100
# Jobs that go on for a while.
_RUNNING = (Cancellation.CANCELLING, Cancellation.UNREACHABLE)

_Place = tuple[QueueRef, str]


async def cancel_job(store: Store, queue: QueueRef, id: str, *, children: bool) -> Cancellation:
    """Cancel a job, then all jobs below it that are not done, from the root down.

    From the root down, so that no parent runs because its children are gone. One that runs may have added
    some until it was marked, and can add no more from then on.

    Raises:
        JobNotFound: There is no such job.
        JobNotInState: It is in no state.
        JobOwnedByScheduler: It is the next iteration of a job scheduler.
    """
    level = await _children(store, (queue, id)) if children else []
    answer = await _cancel(store, queue, id)
    if children and answer in _RUNNING:
        level += await _children(store, (queue, id))
    seen = {(queue, id)}
    while level := [place for place in dict.fromkeys(level) if place not in seen]:
        seen.update(level)
        below: list[_Place] = []
        for first in range(0, len(level), _MOST_AT_ONCE):
            below += await _cancel_some(store, level[first : first + _MOST_AT_ONCE])
        level = below
    return answer


async def _cancel(store: Store, queue: QueueRef, id: str) -> Cancellation:
    record = await store.jobs.get(queue, id)
    if record is None:
        raise JobNotFound(f"there is no job {id}", queue=queue.name, job_id=id, verb="cancel")
    keep = resolve_keep(record.stored_opts.get("removeOnFail"), None)
    return await store.jobs.cancel(queue, id, keep.wire)


async def _cancel_some(store: Store, places: Sequence[_Place]) -> list[_Place]:
    """Cancel these jobs; answers their children. Jobs that are gone meanwhile are as good as cancelled."""
    families = await asyncio.gather(*(_children(store, place) for place in places))
    answers = await asyncio.gather(*(_cancel_if_there(store, place) for place in places))
    told = [place for place, answer in zip(places, answers, strict=True) if answer in _RUNNING]
    families += await asyncio.gather(*(_children(store, place) for place in told))
    return [child for family in families for child in family]


async def _cancel_if_there(store: Store, place: _Place) -> Cancellation | None:
    with suppress(JobNotFound, JobNotInState):
        return await _cancel(store, *place)


async def _children(store: Store, place: _Place) -> list[_Place]:
    """The children that a job waits for."""
    queue, id = place
    found: list[_Place] = []
    cursor = 0
    while True:
        page = await store.family.dependencies(queue, id, {"unprocessed": (cursor, _MOST_AT_ONCE)})
        places = (split_job_key(key, queue.prefix) for key in page.unprocessed)
        found += [child for child in places if child is not None]
        cursor = page.next["unprocessed"]
        if not cursor:
            return found
