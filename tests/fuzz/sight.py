"""What a narrator sees of a database, so that the steps it makes up find something to do."""

from __future__ import annotations

from collections.abc import Sequence

from tests.fuzz.story import PREFIX
from tests.support.database import Dump

#: The states of jobs that have a key of their own.
STATES = (
    *("wait", "active", "delayed", "prioritized"),
    *("completed", "failed", "waiting-children"),
)


class Sight:
    """The jobs of a database by queue and state."""

    def __init__(self, dump: Dump) -> None:
        self._dump = dump

    def ids(self, queue: str, state: str) -> Sequence[str]:
        """The jobs of a state."""
        found = self._dump.get(f"{PREFIX}:{queue}:{state}")
        return list(found.value) if found else []

    def all_ids(self, queue: str) -> Sequence[str]:
        """The jobs of all states."""
        return [id for state in STATES for id in self.ids(queue, state)]

    def parents(self, queue: str) -> Sequence[str]:
        """The jobs that have or had children."""
        return [
            id for id in self.all_ids(queue) if self._has(queue, id, "dependencies", "processed", "failed")
        ]

    def children(self, queue: str) -> Sequence[str]:
        """The jobs that have a parent."""
        return [id for id in self.all_ids(queue) if "parentKey" in self._fields(queue, id)]

    def owners(self, queue: str) -> Sequence[str]:
        """The jobs that were added with a deduplication id."""
        return [id for id in self.all_ids(queue) if "deid" in self._fields(queue, id)]

    def locked(self, queue: str) -> Sequence[str]:
        """The active jobs that have a lock."""
        return [id for id in self.ids(queue, "active") if self._has(queue, id, "lock")]

    def _has(self, queue: str, id: str, *suffixes: str) -> bool:
        return any(f"{PREFIX}:{queue}:{id}:{suffix}" in self._dump for suffix in suffixes)

    def _fields(self, queue: str, id: str) -> dict[str, str]:
        found = self._dump.get(f"{PREFIX}:{queue}:{id}")
        return found.value if found else {}
