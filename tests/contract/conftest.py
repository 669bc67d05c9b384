"""Nothing in this folder may leave anything behind."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _clean(no_leaks: None) -> None:
    """Apply the look for leaks to every test."""
