"""Queues and workers for tests: made with a fresh prefix, closed after the test."""

from __future__ import annotations

from typing import Any, Protocol

from toril import AddOptions, Queue, QueueEvents, Worker
from toril.core.worker.queues import Queues
from toril.store.contract import Store


class QueueFactory(Protocol):
    """Makes queues of this test."""

    def __call__(
        self,
        name: str = ...,
        *,
        url: str | None = ...,
        store: Store | None = ...,
        default_job_options: AddOptions | None = ...,
    ) -> Queue: ...


class EventsFactory(Protocol):
    """Makes readers of events of this test."""

    def __call__(self, name: str = ..., *, url: str | None = ..., **options: Any) -> QueueEvents: ...


class WorkerFactory(Protocol):
    """Makes workers of this test; they are not started."""

    def __call__(
        self,
        handler: Any = ...,
        queue: Queues = ...,
        /,
        *,
        url: str | None = ...,
        store: Store | None = ...,
        **options: Any,
    ) -> Worker: ...


class WorkerStarter(Protocol):
    """Makes a worker of this test and starts it."""

    async def __call__(
        self,
        handler: Any,
        queue: Queues = ...,
        /,
        *,
        url: str | None = ...,
        store: Store | None = ...,
        **options: Any,
    ) -> Worker: ...
