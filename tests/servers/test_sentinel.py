"""Servers that sentinels watch: who is asked for the primary, and what happens when it changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Self

import pytest

from tests.servers.adding import add_one
from tests.servers.places import Places
from tests.servers.sentinels import Watched
from tests.support.eventually import eventually
from tests.support.valkey import Program
from toril import Job, Queue, Worker
from toril.errors import StoreMisconfigured, StoreUnavailable

_BEFORE = 20


@pytest.fixture
def watched(program: Program) -> Iterator[Watched]:
    """A primary, a replica and three sentinels of this test's own."""
    with Watched(program) as watched:
        yield watched


class _Gate:
    """A handler that holds its jobs until it is opened or the test is over, and notes what it has run."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.runs: list[str] = []

    async def __call__(self, job: Job) -> str:
        self.runs.append(job.id)
        await self.opened.wait()
        return f"{job.name} {job.data}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.opened.set()


async def test_work_goes_on_after_a_failover(watched: Watched) -> None:
    gate, heard = _Gate(), list[BaseException]()
    async with (
        Queue("tests", url=watched.url) as queue,
        Worker("tests", gate, url=watched.url, concurrency=2) as worker,
        gate,
    ):
        worker.on("error", heard.append)
        before = [await queue.add("before", number) for number in range(_BEFORE)]
        await eventually(lambda: len(gate.runs) == 2)
        await eventually(lambda: watched.replica.command("LLEN", "bull:tests:active") == 2)
        assert watched.replica.command("LLEN", "bull:tests:wait") == _BEFORE - 2

        watched.primary.kill()
        # An add is tried for some seconds, and how soon sentinels agree is not for toril to say.
        await eventually(watched.fails_over, 30)
        during = asyncio.create_task(queue.add("during", 0))
        await eventually(lambda: watched.named_primary() == watched.replica.place, 30)
        gate.opened.set()

        jobs = [*before, await during, await queue.add("after", 0)]
        results = await asyncio.gather(*(job.result(timeout=15) for job in jobs))
        assert results == [*(f"before {n}" for n in range(_BEFORE)), "during 0", "after 0"]
        assert sorted(gate.runs, key=int) == [str(n + 1) for n in range(_BEFORE + 2)]
        assert {type(error) for error in heard} <= {StoreUnavailable}
        assert worker.health == "healthy"


async def test_a_silent_and_a_dead_sentinel_are_passed_over(watched: Watched) -> None:
    watched.sentinels[0].freeze()
    watched.sentinels[1].kill()
    started = time.monotonic()

    assert (await add_one(f"{watched.url}/1")).id == "1"
    assert time.monotonic() - started < 2.5
    assert "bull:tests:1" in watched.primary.keys(db=1)


async def test_a_service_that_no_sentinel_knows(places: Places) -> None:
    url = places.find("sentinel").url
    with pytest.raises(StoreUnavailable, match="knows a primary of 'bakery'"):
        await add_one(url.replace("/shop", "/bakery"))


async def test_a_replica_is_no_place_for_a_queue(places: Places) -> None:
    places.find("sentinel")
    assert places.watched is not None
    with pytest.raises(StoreMisconfigured, match="read-only replica"):
        await add_one(places.watched.replica.url)
