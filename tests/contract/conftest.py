"""A store on a clock that stands still, and what is needed to talk to it."""

from __future__ import annotations

import pytest

from tests.contract.teller import Teller
from tests.support.clock import Clock
from tests.support.database import Database
from toril.model.names import QueueRef
from toril.store.contract import Store


@pytest.fixture(autouse=True)
def _clean(no_leaks: None) -> None:
    """Apply the look for leaks to every test."""


@pytest.fixture
def queue(prefix: str) -> QueueRef:
    """The queue of this test."""
    return QueueRef(prefix, "tasks")


@pytest.fixture
def teller(store: Store, queue: QueueRef, clock: Clock, database: Database) -> Teller:
    """The store, ready to be asked."""
    return Teller(store, queue, clock, database)
