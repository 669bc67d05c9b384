"""The job that waits for another one, as callers name it and as it is stored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, cast

from toril.errors import OptionError
from toril.model.checks import check_mapping, check_text


@dataclass(frozen=True, slots=True)
class ParentRef:
    """A job that waits for its children.

    Attributes:
        id: Its id.
        queue: Its queue with the prefix, ``prefix:name``.

    Raises:
        OptionError: One is empty or no text, or the queue has no prefix.
    """

    id: str
    queue: str

    def __post_init__(self) -> None:
        if not check_text(self.id, "parent.id"):
            raise OptionError("parent.id", self.id, "must not be empty")
        if not all(check_text(self.queue, "parent.queue").rpartition(":")):
            raise OptionError("parent.queue", self.queue, "must be 'prefix:name', such as 'bull:mail'")

    @property
    def key(self) -> str:
        """The key of the parent's hash."""
        return f"{self.queue}:{self.id}"


class ParentLike(Protocol):
    """Anything that is a job: its id, and its queue by both names."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def prefix(self) -> str:
        """Key prefix of its queue."""
        ...

    @property
    def queue_name(self) -> str:
        """Name of its queue, without the prefix."""
        ...


#: A ``ParentRef``, a job, or BullMQ's own mapping: ``{"id", "queue"}`` with the queue as ``prefix:name``.
ParentOption: TypeAlias = ParentRef | ParentLike | Mapping[str, str]

#: What becomes of a parent when this job fails for good.
FailurePolicy: TypeAlias = Literal["fail_parent", "continue_parent", "ignore", "remove"]

#: Stored names of the policies. Source: BullMQ 6.7, job options.
POLICY_CODES: Mapping[str, str] = {
    "remove": "rdof",
    "fail_parent": "fpof",
    "continue_parent": "cpof",
    "ignore": "idof",
}


def parse_parent(value: object, option: str) -> ParentRef:
    """A caller's parent.

    Args:
        value: A ``ParentOption``.
        option: Its name, for the error.

    Raises:
        OptionError: It is something else.
    """
    if isinstance(value, ParentRef):
        return value
    if isinstance(value, Mapping):
        given = check_mapping(cast("object", value), option, ("id", "queue"))
        return ParentRef(cast("str", given.get("id", "")), cast("str", given.get("queue", "")))
    if not all(hasattr(value, part) for part in ("id", "prefix", "queue_name")):
        raise OptionError(option, value, "must be a job, a ParentRef or a mapping of id and queue")
    job = cast("ParentLike", value)
    return ParentRef(job.id, f"{job.prefix}:{job.queue_name}")


def parent_fields(parent: ParentRef, stored: Mapping[str, object]) -> dict[str, str | bool]:
    """The hash field ``parent`` of the child.

    Args:
        parent: Of this job.
        stored: The child's stored options, for its failure policy.
    Source: BullMQ 6.7; the queue is ``queueKey`` here and ``queue`` in the options.
    """
    fields: dict[str, str | bool] = {"id": parent.id, "queueKey": parent.queue}
    for code in POLICY_CODES.values():
        if stored.get(code):
            fields[code] = True
    return fields


_CHILD_FAILED = re.compile("child (.+) failed", re.DOTALL)


def failed_child(reason: str | None) -> str | None:
    """Key of the child that a reason of failure speaks of. Source: BullMQ 6.7, deferred failures."""
    found = _CHILD_FAILED.fullmatch(reason or "")
    return found.group(1) if found else None
