"""A job with a way to its store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from toril.core.connection import Access, StoreLink
from toril.errors import JobError
from toril.model.checks import check_text
from toril.model.job import Fields, JobRecord
from toril.model.names import QueueRef
from toril.store.values import Settlement


class JobHandle(JobRecord):
    """A job as it was when it was read, and where to ask about it.

    Attributes:
        created: Whether the ``add`` that returned it made it; ``False`` if it existed before.
        link: The way to its store.
        on_progress: Called after progress was reported through this object, with the job and the progress.
    """

    __slots__ = ("created", "link", "on_progress")

    def __init__(  # the record's own parts, and the way to its store
        self,
        queue: QueueRef,
        id: str,
        fields: Fields,
        *,
        link: StoreLink,
        token: str = "",
        created: bool = False,
    ) -> None:
        super().__init__(queue, id, fields, token)
        self.link: StoreLink = link
        self.created: bool = created
        self.on_progress: Callable[[Any, Any], None] | None = None

    @classmethod
    def of(cls, record: JobRecord, link: StoreLink) -> Self:
        """A job from its record."""
        return cls(record.queue, record.id, record.fields, link=link, token=record.token)

    async def _open(self) -> Access:
        return self.link.access or await self.link.open()

    def _held(self, token: str | None) -> str:
        return self.token if token is None else check_text(token, "token")

    async def _move(self, access: Access, settlement: Settlement) -> int:
        settled = await access.store.jobs.settle(self.queue, [settlement], None, at_ms=access.store.now_ms())
        answer = settled.answers[0]
        if isinstance(answer, JobError):
            raise answer
        return answer
