"""Children of a job, a page at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import msgspec

from toril.errors import OptionError
from toril.model.job import JobRecord
from toril.store.values import Child, Children

#: ``Job``, or ``BlockingJob`` in blocking code.
JobT = TypeVar("JobT")

#: ``processed`` children have completed; ``pending`` ones are waited for.
DependencyKind = Literal["processed", "pending"]

_PARTS = {"processed": "processed", "pending": "dependencies"}


@dataclass(frozen=True, slots=True)
class Dependency(Generic[JobT]):
    """A child of a job.

    Attributes:
        key: Its key, ``prefix:queue:id``.
        value: What it returned; ``None`` while it is pending.
        error: Why ``value`` can't be read, if it is no JSON.
        job: The child itself; ``None`` if it was removed.
    """

    key: str
    value: Any = None
    error: str | None = None
    job: JobT | None = None


@dataclass(frozen=True, slots=True)
class DependencyPage(Generic[JobT]):
    """Some children of a job.

    Attributes:
        items: Those of the page, in no order.
        total: How many there are of this kind.
    """

    items: list[Dependency[JobT]]
    total: int


def read_children(children: Children, job_of: Callable[[JobRecord], JobT]) -> DependencyPage[JobT]:
    """From what is stored."""
    return DependencyPage([_read(child, job_of) for child in children.items], children.total)


def _read(child: Child, job_of: Callable[[JobRecord], JobT]) -> Dependency[JobT]:
    job = job_of(child.job) if child.job else None
    if child.value is None:
        return Dependency(child.key, job=job)
    try:
        return Dependency(child.key, msgspec.json.decode(child.value), job=job)
    except (ValueError, RecursionError) as error:
        return Dependency(child.key, error=str(error), job=job)


def part_of(kind: object) -> str:
    """How the store calls a kind of children.

    Raises:
        OptionError: There is no such kind.
    """
    if not isinstance(kind, str) or kind not in _PARTS:
        raise OptionError("kind", kind, "must be 'processed' or 'pending'")
    return _PARTS[kind]
