"""What a job has to do with its parent and its children."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from toril.core.handle import JobHandle
from toril.errors import ChildFailure, OptionError, WaitingChildrenError
from toril.model.checks import check_int, check_items, check_text
from toril.model.names import QueueRef, split_job_key
from toril.model.parent import failed_child
from toril.store.contract import Store
from toril.store.values import CHILD_KINDS, AwaitChildren, Dependencies

# A failure is followed through so many generations.
_MOST_GENERATIONS = 50


class JobFamily(JobHandle):
    """A job's verbs on its parent and its children."""

    __slots__ = ()

    async def children_values(self) -> dict[str, Any]:
        """What its completed children returned, by their keys; what is no JSON is given as its text."""
        values = await (await self._open()).store.family.children_values(self.queue, self.id)
        return _decoded(values)

    async def ignored_failures(self) -> dict[str, str]:
        """Why children failed whose ``on_failure`` is ``ignore`` or ``continue_parent``, by their keys."""
        return await (await self._open()).store.family.ignored_failures(self.queue, self.id)

    async def dependencies(self, **pages: tuple[int, int]) -> Dependencies:
        """Its children, by what became of them.

        Args:
            pages: ``processed``, ``unprocessed``, ``ignored`` and ``failed``, each with where to go on (0 at
                first, then what ``next`` says) and about how many to read; the server may give more of small
                groups. Kinds that are not named are not read. Without any, all of all kinds are read.

        Returns:
            What children returned is decoded; what is no JSON is given as its text.

        Raises:
            OptionError: There is no such kind, or a page is no pair of numbers.
        """
        for kind, page in pages.items():
            if kind not in CHILD_KINDS:
                raise OptionError.no_such("kind", kind, CHILD_KINDS)
            _check_page(kind, page)
        found = await (await self._open()).store.family.dependencies(self.queue, self.id, pages or None)
        return replace(found, processed=_decoded(found.processed))

    async def dependency_counts(self) -> dict[str, int]:
        """How many of its children are ``processed``, ``unprocessed``, ``ignored`` and ``failed``."""
        return await (await self._open()).store.family.dependency_counts(self.queue, self.id)

    async def remove_child_dependency(self) -> bool:
        """Let its parent go: this job is not its child any more, and the parent runs if it was the last one.

        Returns:
            Whether the parent was waiting for it.

        Raises:
            JobNotFound: The job is gone.
            ParentNotFound: It has no parent, or that is gone.
        """
        store = (await self._open()).store
        untied = await store.removals.untie_child(self.queue, self.id, self.parent_key or "")
        if untied:
            self.fields.pop(b"parentKey", None)
            self.fields.pop(b"parent", None)
        return untied

    async def remove_unprocessed_children(self) -> None:
        """Remove its children that are neither done nor running, and theirs."""
        await (await self._open()).store.removals.remove_pending_children(self.queue, self.id)

    async def remove_deduplication_key(self) -> bool:
        """Let its deduplication id be used again, if this job holds it; whether it did."""
        store = (await self._open()).store
        return await store.removals.free_deduplication(self.queue, self.id, self.deduplication_id)

    async def move_to_waiting_children(self, token: str | None = None, *, child: str | None = None) -> bool:
        """Let the running job wait for its children; raise ``WaitingChildrenError`` if the answer is true.

        Args:
            token: Lock token; ``None`` for the one the job was taken with.
            child: Key of the one child to wait for; ``None`` waits for all.

        Raises:
            LockLost: The job is not ours any more.
            FailedChildren: A child failed that fails its parent.
        """
        only = False if child is None else check_text(child, "child")
        moving = AwaitChildren(self.id, self._held(token), only)
        return await self._move(await self._open(), moving) == 0

    async def wait_for_children(self) -> None:
        """In a handler: go on if no child is pending, else leave; the job runs again when all are done.

        Leaving means that this raises, so don't catch it. What was done before must not be done again when
        the handler runs once more: keep the step reached in the job's data (``update_data``).

        Raises:
            WaitingChildrenError: Children are pending. The worker knows it; this is no failure.
            LockLost: The job is not ours any more.
            FailedChildren: A child failed that fails its parent.
        """
        if await self.move_to_waiting_children():
            raise WaitingChildrenError


def _check_page(kind: str, page: object) -> None:
    parts = check_items(page, kind)
    if len(parts) != 2:
        raise OptionError(kind, page, "must be where to go on, and about how many to read")
    check_int(parts[0], kind)
    check_int(parts[1], kind, 1)


def _decoded(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _value(stored) for key, stored in values.items()}


def _value(stored: bytes) -> Any:
    try:
        return msgspec.json.decode(stored)
    except (ValueError, RecursionError):
        # No JSON, or nested too deep.
        return stored.decode("utf-8", "replace")


async def trace_failure(store: Store, reason: str | None, prefix: str) -> ChildFailure | None:
    """The child that a parent's reason of failure speaks of, its child, and so on to the first that failed.

    Args:
        prefix: Of the keys, most likely.

    Returns:
        ``None`` if the reason is another.
    """
    found: list[tuple[QueueRef, str, str | None]] = []
    while len(found) < _MOST_GENERATIONS:
        key = failed_child(reason)
        place = split_job_key(key, prefix) if key is not None else None
        if place is None:
            break
        record = await store.jobs.get(*place)
        reason = record.failed_reason if record is not None else None
        found.append((*place, reason))
    failure = None
    for queue, id, why in reversed(found):
        failure = ChildFailure(queue.qualified, id, why, failure)
    return failure
