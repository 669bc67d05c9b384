"""The two sides, on a server of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.fuzz.duel import Duel
from tests.interop.conftest import install
from toril.embedded import ensure_server


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def duel(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Duel]:
    install()
    with ensure_server(str(tmp_path_factory.mktemp("fuzz"))) as server:
        duel = runner.run(_begun(Duel(server)))
        yield duel
        runner.run(duel.close())


async def _begun(duel: Duel) -> Duel:
    duel.attach()
    return duel
