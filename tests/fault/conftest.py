"""Nothing in this folder may leave anything behind, and much of it goes through a relay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.proxy import Proxy, proxy_of
from tests.support.server import OwnServer


@pytest.fixture(autouse=True)
def _clean(no_leaks: None) -> None:
    """Apply the look for leaks to every test."""


@pytest.fixture
async def proxy(url: str, no_leaks: None) -> AsyncIterator[Proxy]:
    """A relay to the server of this test process."""
    async with proxy_of(url) as proxy:
        yield proxy


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnServer]:
    """A server of this test's own."""
    with OwnServer(tmp_path) as server:
        yield server
