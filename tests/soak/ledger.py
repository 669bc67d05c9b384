"""What was promised, what ran, and what came of it: kept apart from the server, in a file that all share.

It is SQLite, which takes it well that processes are killed at any moment.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
import uuid
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: How runs end; one that has no end was in a process that was killed.
DONE, CUT, FAILED = "done", "cut", "failed"

_TABLES = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS promises (
    n INTEGER PRIMARY KEY, task TEXT, failures INTEGER, due REAL, parent INTEGER
);
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, task TEXT, pid INTEGER, parent_pid INTEGER, began REAL, ended REAL, how TEXT
);
CREATE TABLE IF NOT EXISTS effects (task TEXT, mark TEXT, at REAL);
CREATE INDEX IF NOT EXISTS effects_of ON effects (task);
"""
# Seconds in which another process must have written what it writes.
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Promise:
    """A job that was to be added.

    Attributes:
        n: Its number, which its payload has as well.
        failures: So many of its attempts fail.
        due: It runs no sooner.
        parent: Number of the job that waits for it.
        task: Queue and id, once the server has acknowledged it.
    """

    n: int
    failures: int = 0
    due: float = 0.0
    parent: int | None = None
    task: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A handler that was called.

    Attributes:
        pids: The process that it was in, and the one that had started that.
        how: ``None`` if the process did not live to tell.
    """

    task: str
    pids: frozenset[int]
    began: float
    ended: float | None
    how: str | None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a job did to the world.

    Attributes:
        mark: Unlike any other; the job's result as well.
    """

    task: str
    mark: str
    at: float


class PlannedFailure(Exception):
    """An attempt that was meant to fail."""


class Ledger:
    """The file; each call opens it anew, from whatever process or thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as file:
            file.executescript(_TABLES)

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        file = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None)
        try:
            # Only a power cut could lose something by that.
            file.execute("PRAGMA synchronous = OFF")
            yield file
        finally:
            file.close()

    # --- writing ---

    def promise(self, promises: Iterable[Promise]) -> None:
        """Note what is about to be added."""
        rows = [(each.n, each.task, each.failures, each.due, each.parent) for each in promises]
        with self._open() as file:
            file.executemany("INSERT INTO promises VALUES (?, ?, ?, ?, ?)", rows)

    def acknowledge(self, tasks: dict[int, str]) -> None:
        """Note what the server has taken, by their numbers."""
        with self._open() as file:
            file.executemany("UPDATE promises SET task = ? WHERE n = ?", [(tasks[n], n) for n in tasks])

    @contextmanager
    def run(self, task: str) -> Generator[None]:
        """Note that a handler runs, and how it ends."""
        id = uuid.uuid4().hex
        row = (id, task, os.getpid(), os.getppid(), time.time())
        with self._open() as file:
            file.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, NULL, NULL)", row)
        how = DONE
        try:
            yield
        except BaseException as error:
            how = _how(error)
            raise
        finally:
            with self._open() as file:
                file.execute("UPDATE runs SET ended = ?, how = ? WHERE id = ?", (time.time(), how, id))

    def take_effect(self, task: str) -> str:
        """Have an effect, unless the task had it before; answers its mark."""
        with self._open() as file:
            file.execute("BEGIN IMMEDIATE")
            found = file.execute("SELECT mark FROM effects WHERE task = ?", (task,)).fetchone()
            mark = found[0] if found else uuid.uuid4().hex
            if not found:
                file.execute("INSERT INTO effects VALUES (?, ?, ?)", (task, mark, time.time()))
            file.execute("COMMIT")
            return mark

    # --- reading ---

    def promises(self) -> list[Promise]:
        """All promises."""
        return [Promise(*row) for row in self._rows("SELECT n, failures, due, parent, task FROM promises")]

    def runs(self) -> list[Run]:
        """All runs, those that began earlier first."""
        rows = self._rows("SELECT task, pid, parent_pid, began, ended, how FROM runs ORDER BY began")
        return [Run(task, frozenset([pid, parent]), *rest) for task, pid, parent, *rest in rows]

    def busy(self) -> frozenset[int]:
        """Ids of processes that handlers run in, or ran in when they were killed."""
        rows = self._rows("SELECT pid, parent_pid FROM runs WHERE ended IS NULL")
        return frozenset(pid for row in rows for pid in row)

    def effects(self) -> list[Effect]:
        """All effects."""
        return [Effect(*row) for row in self._rows("SELECT task, mark, at FROM effects")]

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with self._open() as file:
            return file.execute(query).fetchall()


def _how(error: BaseException) -> str:
    if isinstance(error, PlannedFailure):
        return FAILED
    return CUT if isinstance(error, asyncio.CancelledError) else f"{type(error).__name__}: {error}"
