"""Reading queues, at every kind of server."""

from __future__ import annotations

import pytest

from tests.servers.places import KINDS, Place
from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from toril import Job, Queue, list_queues

pytestmark = pytest.mark.usefixtures("no_leaks")


async def answer(job: Job) -> str:
    return job.name


async def test_queues_are_read(queue: Queue, place: Place, prefix: str) -> None:
    await queue.add_many([("job", number) for number in range(600)])
    parent = await queue.add("parent", delay=60)
    await queue.add("child", parent=parent)

    assert len(await queue.get_jobs("waiting", 0, 550)) == 551
    assert len({job.id async for job in queue.iter_jobs(["waiting", "delayed"])}) == 602
    assert (await queue.get_dependencies(parent.id, "pending")).total == 1
    assert (await queue.get_metrics("completed")).count == 0
    assert await list_queues(place.url, prefix=prefix) == ["tasks"]


async def test_long_states_are_walked(queue: Queue) -> None:
    await queue.add_many([("job", number) for number in range(6_000)])
    await queue.add_many([("job", number, {"delay": 60}) for number in range(6_000)])

    assert len([job.id async for job in queue.iter_jobs(["waiting", "delayed"])]) == 12_000


# A user of a few commands only is not told who is connected.
TOLD = [kind for kind in KINDS if kind != "user+password"]


@pytest.mark.parametrize("place", TOLD, indirect=True)
async def test_workers_are_found(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(answer, name="one")
    await start_worker(answer, name="two")
    assert await (await queue.add("job")).result(timeout=10) == "job"

    async def names() -> bool:
        return sorted(str(worker.name) for worker in await queue.get_workers()) == ["one", "two"]

    assert await eventually(names)


@pytest.mark.parametrize("place", ["user+password"], indirect=True)
async def test_who_may_not_know_is_told_nothing(
    queue: Queue, start_worker: WorkerStarter, caplog: pytest.LogCaptureFixture
) -> None:
    await start_worker(answer)
    assert await queue.get_workers() == await queue.get_queue_events() == []
    assert "does not tell who is connected" in caplog.text
