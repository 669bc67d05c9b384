"""Queues and workers of job schedulers on a controlled clock."""

from __future__ import annotations

import pytest

from tests.support.factories import QueueFactory, WorkerFactory
from toril import Queue, Worker
from toril.store.contract import Store


@pytest.fixture
def timed_queue(new_queue: QueueFactory, store: Store) -> Queue:
    """A queue on the controlled clock."""
    return new_queue(store=store)


@pytest.fixture
def timed_worker(new_worker: WorkerFactory, store: Store) -> Worker:
    """A worker on the controlled clock, to process by hand."""
    return new_worker(store=store, stalled_interval=30)
