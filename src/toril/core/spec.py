"""A job that is to be added: as users write it, as the store takes it, and as it is when it was added."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from toril.core.connection import StoreLink
from toril.core.job import Job
from toril.core.payload import encode
from toril.errors import OptionError
from toril.model.checks import check_keyed
from toril.model.names import QueueRef
from toril.model.options import AddOptions, Resolved
from toril.store.values import NewJob


class _Absent:
    """No payload was given, which is stored as an empty object; ``None`` is stored as null."""


ABSENT: Final = _Absent()


class JobSpec(msgspec.Struct, frozen=True):
    """One job of ``add_many``: what ``add`` takes, as a value.

    Raises:
        OptionError: ``options`` is no mapping.
    """

    name: str
    data: Any = ABSENT
    options: AddOptions | None = None

    def __post_init__(self) -> None:
        if self.options is not None:
            check_keyed(self.options, "options")


def stored_job(queue: QueueRef, id: str, job: NewJob, link: StoreLink, *, created: bool) -> Job:
    """A job that was just added, as it would be read."""
    fields: dict[bytes, Any] = {
        b"name": job.name,
        b"data": job.data,
        b"opts": job.opts.encode(),
        b"timestamp": job.timestamp_ms,
        b"delay": job.delay_ms,
        b"priority": job.priority,
    }
    if isinstance(job.more, dict) and "dedup" in job.more:
        fields[b"deid"] = job.more["dedup"]["id"].encode()
    if isinstance(job.more, dict) and "parentKey" in job.more:
        fields[b"parentKey"] = job.more["parentKey"].encode()
        fields[b"parent"] = job.more["parent"].encode()
    return Job(queue, id, fields, link=link, created=created)


def new_job(name: str, text: str, resolved: Resolved) -> NewJob:
    """What the store takes, from a payload's text and its options."""
    return NewJob(
        name,
        text,
        encode(resolved.stored, "options"),
        resolved.timestamp_ms,
        resolved.delay_ms,
        resolved.priority,
        resolved.lifo,
        resolved.job_id or False,
        _more(resolved) or False,
    )


def _more(resolved: Resolved) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if resolved.parent is not None:
        key = resolved.parent.key
        more |= {
            "parentKey": key,
            "parent": encode(resolved.parent_fields, "parent"),
            "dependencies": f"{key}:dependencies",
        }
    if resolved.dedup is not None:
        more["dedup"] = resolved.dedup
    if resolved.job_id and resolved.on_duplicate != "ignore":
        more["duplicate"] = resolved.on_duplicate
    return more


def spec_of(job: object) -> JobSpec:
    """One job of ``add_many``, whichever way it is written.

    Raises:
        OptionError: It is written in none of them.
    """
    if isinstance(job, JobSpec):
        return job
    if not isinstance(job, tuple) or not 2 <= len(cast("tuple[object, ...]", job)) <= 3:
        raise OptionError(
            "jobs", cast("object", job), "give JobSpec(name, data, options) or a tuple of these"
        )
    return JobSpec(*cast("tuple[Any, ...]", job))
