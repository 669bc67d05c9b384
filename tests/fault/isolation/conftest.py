"""No test here may leave a child process, a zombie or an open file behind."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from tests.support.eventually import eventually

#: Seconds for what waits for a child. On a machine with much to do, the start of one alone takes many.
PATIENCE = 40


@pytest.fixture(autouse=True)
async def no_child_is_left(_clean: None) -> AsyncIterator[None]:
    """Look for child processes, zombies included."""
    before = children()
    yield
    await eventually(lambda: children() <= before)


def children() -> set[int]:
    """The child processes of this one."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def is_gone(pid: int) -> bool:
    """Whether there is no such process, or it is nobody's child any more and about to vanish."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return pid != os.getpid()


def open_files() -> list[str]:
    """What this process has open."""
    return [str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What handlers have noted, in whatever processes; asked for before their worker is started."""
    path = tmp_path / "notes"
    path.touch()
    monkeypatch.setenv("TORIL_TEST_NOTES", str(path))
    return lambda: path.read_text().splitlines()
