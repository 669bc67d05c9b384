"""Producers of trees for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from toril import FlowProducer


@pytest.fixture
async def producer(url: str, prefix: str) -> AsyncIterator[FlowProducer]:
    """A producer of trees, on the test's own prefix."""
    async with FlowProducer(url=url, prefix=prefix) as producer:
        yield producer
