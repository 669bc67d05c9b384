"""Workers and queues of the embedded server bring it back when it was killed, and not when it was stopped."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from toril import Job, Queue, Worker
from toril.embedded import EmbeddedServer, ensure_server, status, stop
from toril.embedded.lease import leave_all


def kill(home: Path) -> None:
    pid = status(str(home)).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


async def name_of(job: Job) -> str:
    return job.name


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Path]:
    """The folder of a server that is stopped after the test."""
    home = tmp_path / "home"
    yield home
    leave_all(home)
    stop(str(home))


@asynccontextmanager
async def worked(home: Path, run_retry_delay: float = 15) -> AsyncGenerator[tuple[Queue, Worker]]:
    """A queue in that folder, and a worker that runs its jobs."""
    url = f"embedded:{home}"
    worker = Worker("tasks", name_of, url=url, run_retry_delay=run_retry_delay)
    async with Queue("tasks", url=url) as queue, worker:
        yield queue, worker


async def test_a_worker_brings_it_back_and_goes_on(home: Path) -> None:
    async with worked(home) as (queue, worker):
        first = await queue.add("before")
        assert await first.result(timeout=5) == "before"
        kill(home)
        await eventually(lambda: status(str(home)).running and worker.health == "healthy")

        assert await (await queue.add("after")).result(timeout=5) == "after"
        await first.refresh()
        assert first.return_value == "before"


async def test_a_queue_brings_it_back_by_itself(home: Path) -> None:
    async with Queue("tasks", url=f"embedded:{home}") as queue:
        await queue.add("before")
        kill(home)
        await eventually(lambda: not status(str(home)).running)
        await queue.add("after")

        assert await queue.get_waiting_count() == 2


async def test_a_running_job_keeps_its_lock_and_is_run_once(home: Path) -> None:
    runs: list[str] = []
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> str:
        runs.append(job.id)
        started.set()
        await go_on.wait()
        return "done"

    url = f"embedded:{home}"
    async with Queue("tasks", url=url) as queue, Worker("tasks", handler, url=url):
        job = await queue.add("work")
        await started.wait()
        kill(home)
        await eventually(lambda: status(str(home)).running)
        go_on.set()

        assert await job.result(timeout=10) == "done"
        assert runs == [job.id]


async def test_one_that_was_stopped_is_waited_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0
    real = EmbeddedServer.revive

    def revive(self: EmbeddedServer) -> None:
        nonlocal tries
        tries += 1
        real(self)

    monkeypatch.setattr(EmbeddedServer, "revive", revive)
    async with worked(home, run_retry_delay=0.2) as (queue, worker):
        assert await (await queue.add("before")).result(timeout=5) == "before"
        stop(str(home))
        await eventually(lambda: tries >= 5)
        assert not status(str(home)).running
        assert worker.health != "healthy"

        with ensure_server(str(home)):
            assert await (await queue.add("after")).result(timeout=5) == "after"
            await eventually(lambda: worker.health == "healthy")
