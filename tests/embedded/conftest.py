"""Homes that leave no server behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from toril.embedded import stop
from toril.embedded.lease import leave_all


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A directory that does not exist yet; whatever is started in it is stopped after the test."""
    path = tmp_path / "home"
    yield path
    leave_all(path)
    stop(str(path))
