"""The queue for code that knows nothing of asyncio: scripts, threads, forked servers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.support.factories import WorkerStarter
from toril import DuplicateJob, Job, JobFailed, JobRemoved, OptionError, ResultTimeout
from toril.sync import JobSpec, Queue

WAITS_FOR_ITSELF = """
import sys
from toril.core.portal import portal
from toril.sync import Queue

queue = Queue("tasks", url=sys.argv[1], prefix=sys.argv[2])

async def on_the_loop_that_serves_all_queues():
    queue.count()

portal.call(on_the_loop_that_serves_all_queues())
"""


@pytest.fixture
def queue(url: str, prefix: str) -> Iterator[Queue]:
    queue = Queue("tasks", url=url, prefix=prefix)
    yield queue
    queue.close()


def test_each_verb_waits_for_its_answer(queue: Queue) -> None:
    job = queue.add("greet", {"name": "Ada"}, priority=3)

    assert (job.id, job.created, job.state()) == ("1", True, "prioritized")
    assert queue.get_job_counts("prioritized") == {"prioritized": 1}
    job.change_priority(0)
    job.update_progress(10)
    job.remove()
    assert queue.get_job("1") is None


def test_many_jobs_are_added_in_one_go(queue: Queue) -> None:
    queue.add("work", job_id="a")
    answers = queue.add_many([JobSpec("work"), ("work", None, {"job_id": "a", "on_duplicate": "raise"})])

    assert isinstance(answers[1], DuplicateJob)
    assert queue.count() == 2


def test_errors_are_the_same(queue: Queue) -> None:
    with pytest.raises(OptionError):
        queue.add("work", priority=-3_000_000)
    job = queue.add("work")
    with pytest.raises(ResultTimeout):
        job.result(timeout=0.01)
    job.remove()
    with pytest.raises(JobRemoved):
        job.result(timeout=5)


def test_it_can_be_used_as_a_context_manager(url: str, prefix: str) -> None:
    with Queue("tasks", url=url, prefix=prefix) as queue:
        assert queue.add("work").id == "1"


def test_it_can_be_used_after_it_was_closed(queue: Queue) -> None:
    queue.add("work")
    queue.close()

    assert queue.add("work").id == "2"


def test_any_number_of_threads_may_share_it(queue: Queue) -> None:
    def add() -> None:
        ids.extend(queue.add("work").id for _ in range(20))

    ids: list[str] = []
    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(int, ids)) == list(range(1, 161))


def test_a_forked_process_has_connections_of_its_own(queue: Queue) -> None:
    before = queue.add("work")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if [queue.add("work").id for _ in range(3)] == ["2", "3", "4"] else 2
        finally:
            os._exit(status)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (before.id, queue.add("work").id, queue.count()) == ("1", "5", 5)


def test_parent_and_child_work_at_the_same_time(queue: Queue) -> None:
    queue.add("work")
    child = os.fork()
    try:
        for _ in range(50):
            queue.add("work")
    finally:
        if child == 0:
            os._exit(0)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert queue.count() == 101


async def test_a_worker_elsewhere_runs_the_jobs(url: str, prefix: str, start_worker: WorkerStarter) -> None:
    async def handler(job: Job) -> int:
        if job.name == "break":
            raise ValueError("broken")
        return job.data * 2

    def use_blocking_queue() -> None:
        with Queue("tasks", url=url, prefix=prefix) as queue:
            found.append(queue.add("double", 21).result(timeout=5))
            with pytest.raises(JobFailed, match="broken"):
                queue.add("break").result(timeout=5)
        done.set()

    found: list[object] = []
    done = threading.Event()
    await start_worker(handler)
    thread = threading.Thread(target=use_blocking_queue)
    thread.start()
    await asyncio.to_thread(thread.join)

    assert done.is_set()
    assert found == [42]


def test_it_refuses_to_wait_for_itself(url: str, prefix: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WAITS_FOR_ITSELF, url, prefix],
        capture_output=True,
        text=True,
        timeout=5,
        check=False,
    )

    assert "RuntimeError" in done.stderr
