"""Parents that can never run: which they are, and what keeps them."""

from __future__ import annotations

from dataclasses import dataclass

from toril.model.names import QueueRef, split_job_key
from toril.store.contract import FamilyStore
from toril.store.values import PendingChild

# Parents that are looked at in one call.
_PAGE = 10
# A tree is followed down so many levels; what is deeper counts as able to run.
_DEEPEST = 50

_PROBLEMS = {
    "missing": "is gone; add it again, or let the parent go by removing the dependency",
    "failed": "has failed, and its on_failure leaves the parent waiting; retry or remove it",
    "completed": "has completed, but the parent was not told; retry or remove it",
    "unknown": "is in no state, so no worker will ever run it; remove it",
}


@dataclass(frozen=True, slots=True)
class StuckChild:
    """A child that keeps its parent from running for ever.

    Attributes:
        key: Key of the child's hash.
        problem: Why it will never be done.
    """

    key: str
    problem: str


@dataclass(frozen=True, slots=True)
class StuckParent:
    """A job that waits for children and can never run.

    Attributes:
        queue: Name of its queue.
        id: Its id.
        children: Who keeps it; empty if no child is pending, so that nothing will ever release it.
    """

    queue: str
    id: str
    children: tuple[StuckChild, ...]

    @property
    def reason(self) -> str:
        """Why, in words."""
        if not self.children:
            return "no child is pending, so nothing will release it; remove it, or add it again"
        return "; ".join(f"child {child.key} {child.problem}" for child in self.children)


async def find_stuck_parents(family: FamilyStore, queue: QueueRef, limit: int) -> list[StuckParent]:
    """Look through the jobs of a queue that wait for children, those that wait longest first."""
    search = _Search(family, queue.prefix)
    stuck: list[StuckParent] = []
    first = 0
    while ids := await family.waiting_parents(queue, first, first + _PAGE - 1):
        first += _PAGE
        for id, pending in zip(ids, await family.pending_children(queue, ids), strict=True):
            children = None if pending is None else await search.look(queue.job_key(id), pending, ())
            if children is not None:
                stuck.append(StuckParent(queue.name, id, children))
            if len(stuck) == limit:
                return stuck
    return stuck


class _Search:
    """Looks at parents; what it knows of one that is itself a child is not asked again."""

    def __init__(self, family: FamilyStore, prefix: str) -> None:
        self._family = family
        self._prefix = prefix
        self._known: dict[str, bool] = {}

    async def look(
        self, key: str, pending: list[PendingChild], above: tuple[str, ...]
    ) -> tuple[StuckChild, ...] | None:
        """Who keeps a parent from running for ever; ``None`` if it may run."""
        found: list[StuckChild] = []
        for child in pending:
            problem = await self._problem(child, (*above, key))
            if problem is not None:
                found.append(StuckChild(child.key, problem))
        stuck = bool(found) or not pending
        self._known[key] = stuck
        return tuple(found) if stuck else None

    async def _problem(self, child: PendingChild, above: tuple[str, ...]) -> str | None:
        if child.key in above:
            return "waits for this very job"
        if child.state != "waiting-children":
            return _PROBLEMS.get(child.state)
        if child.key not in self._known and len(above) < _DEEPEST:
            await self._look_below(child.key, above)
        return "is a parent that can never run itself" if self._known.get(child.key) else None

    async def _look_below(self, key: str, above: tuple[str, ...]) -> None:
        place = split_job_key(key, self._prefix)
        if place is None:
            return
        queue, id = place
        pending = (await self._family.pending_children(queue, [id]))[0]
        # In between it may have been released.
        if pending is not None:
            await self.look(key, pending, above)
