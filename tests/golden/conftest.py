"""The server that the recordings are replayed on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from toril.embedded import ensure_server


@pytest.fixture(scope="session")
def golden_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own for each test process: the database is emptied before each scenario."""
    with ensure_server(str(tmp_path_factory.mktemp("golden"))) as server:
        yield server.url
