"""A board for the tests of a process; each test begins with an empty server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.board.board import FOLDER, Board, Shown
from tests.conftest import NAME
from tests.interop.conftest import install
from tests.support.database import Database
from toril.embedded import ensure_server


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for the board alone, which stays connected to it between the tests."""
    with ensure_server(str(tmp_path_factory.mktemp("board"))) as server:
        yield server.url


@pytest.fixture(scope="session")
def packages() -> None:
    """bull-board is installed."""
    install(FOLDER)


@pytest.fixture(scope="session")
def started_board(packages: None, url: str) -> Iterator[Board]:
    board = Board(url)
    yield board
    board.end()


@pytest.fixture
def board(started_board: Board, database: Database) -> Iterator[Board]:
    """bull-board, which finds only the queues of this test."""
    database.empty()
    yield started_board
    database.empty()


@pytest.fixture
def shown(board: Board, prefix: str) -> Shown:
    """The queue of a test that needs only one, on the board."""
    return Shown(board, f"{prefix}:{NAME}")
