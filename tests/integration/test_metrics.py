"""Counts of finished jobs by minute, and as text for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, cast

import pytest

from tests.support.clock import Clock
from tests.support.database import Database
from tests.support.factories import QueueFactory, WorkerFactory
from toril import Job, Metrics, MetricsTime, OptionError, Queue
from toril.store.contract import Store


async def finish(worker: Any, queue: Queue, count: int) -> None:
    await queue.add_many(("work", number) for number in range(count))
    for _ in range(count):
        job = await worker.get_next_job(block=False)
        assert isinstance(job, Job)
        await worker.complete(job, None)


async def test_points_are_minutes(
    new_queue: QueueFactory, new_worker: WorkerFactory, store: Store, clock: Clock
) -> None:
    queue = await new_queue(store=store).ready()
    worker = new_worker(store=store, metrics_points=MetricsTime.ONE_HOUR)
    assert await queue.get_metrics("completed") == Metrics(0, None, 0, [], 0)

    await finish(worker, queue, 3)
    clock.forward(60)
    await finish(worker, queue, 2)
    clock.forward(180)
    await finish(worker, queue, 1)

    metrics = await queue.get_metrics("completed")
    assert metrics == Metrics(6, datetime.fromtimestamp(clock.ms / 1000, UTC), 5, [0, 0, 2, 3], 4)
    assert (await queue.get_metrics("completed", 0, 1)).data == [0, 0]
    assert (await queue.get_metrics("completed", -2, -1)).data == [2, 3]
    assert (await queue.get_metrics("completed", 2, 99)).data == [2, 3]
    assert (await queue.get_metrics("completed", 9, 99)).data == []
    assert (await queue.get_metrics("failed")).count == 0


async def test_failures_have_counts_of_their_own(
    queue: Queue, new_worker: WorkerFactory, url: str, prefix: str
) -> None:
    worker = new_worker(metrics_points=5)
    await queue.add("work", attempts=2)
    for _ in range(2):
        job = await worker.get_next_job(block=False)
        assert isinstance(job, Job)
        await worker.fail(job, ValueError("broken"))

    metrics = await queue.get_metrics("failed")
    assert (metrics.count, metrics.prev_count, metrics.data) == (1, 0, [])
    assert metrics.prev_ts is not None
    assert metrics.prev_ts.tzinfo is not None


async def test_what_is_no_number_counts_as_none(queue: Queue, database: Database) -> None:
    key = f"{queue.ref.base}metrics:completed"
    database.command("HSET", key, "count", "many", "prevTS", "1e99", "prevCount", "1.5")
    database.command("RPUSH", f"{key}:data", 5, "x", "", "inf", "7")

    assert await queue.get_metrics("completed") == Metrics(0, None, 1, [5, 0, 0, 0, 7], 5)


async def test_very_many_points_are_read_in_steps(queue: Queue, database: Database) -> None:
    key = f"{queue.ref.base}metrics:completed"
    for start in range(0, MetricsTime.ONE_MONTH, 4_000):
        points = range(start, min(start + 4_000, MetricsTime.ONE_MONTH))
        database.command("RPUSH", f"{key}:data", *points)

    assert (await queue.get_metrics("completed")).data == list(range(MetricsTime.ONE_MONTH))
    assert (await queue.get_metrics("completed", -50_000, -5)).data == list(range(30_640, 80_636))
    assert (await queue.get_metrics("completed", 7, 60_000)).data == list(range(7, 60_001))


async def test_a_kind_that_is_not_counted_is_refused(queue: Queue) -> None:
    with pytest.raises(OptionError, match="must be 'completed' or 'failed'"):
        await queue.get_metrics(cast("Literal['failed']", "delayed"))


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


async def test_prometheus_text(new_queue: QueueFactory, database: Database) -> None:
    queue = await new_queue('odd "name"\\').ready()
    await queue.add("work", delay=60)
    database.command("HSET", f"{queue.ref.base}metrics:failed", "count", 12)

    text = await queue.export_prometheus_metrics({"env": 'a "b"\n\\', "_x9": "ü"})
    own, more = r'queue="odd \"name\"\\"', r', env="a \"b\"\n\\", _x9="ü"'
    assert lines_of(text) == [
        f'bullmq_job_count{{{own}, state="active"{more}}} 0',
        f'bullmq_job_count{{{own}, state="completed"{more}}} 0',
        f'bullmq_job_count{{{own}, state="delayed"{more}}} 1',
        f'bullmq_job_count{{{own}, state="failed"{more}}} 0',
        f'bullmq_job_count{{{own}, state="prioritized"{more}}} 0',
        f'bullmq_job_count{{{own}, state="waiting"{more}}} 0',
        f'bullmq_job_count{{{own}, state="waiting-children"{more}}} 0',
        f"bullmq_job_completed_total{{{own}{more}}} 0",
        f"bullmq_job_failed_total{{{own}{more}}} 12",
    ]
    assert "# TYPE bullmq_job_count gauge" in text.splitlines()


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ({"a-b": "x"}, "letters, digits"),
        ({"9a": "x"}, "letters, digits"),
        ({"__name__": "x"}, "nor with '__'"),
        ({"é": "x"}, "letters, digits"),
        ({"": "x"}, "letters, digits"),
        ({1: "x"}, "letters, digits"),
        ({"state": "x"}, "has already"),
        ({"queue": "x"}, "has already"),
        ({"env": 1}, r"labels\['env'\]=1: must be a str"),
    ],
)
async def test_labels_that_prometheus_would_refuse(
    queue: Queue, labels: Mapping[str, str], problem: str
) -> None:
    with pytest.raises(OptionError, match=problem):
        await queue.export_prometheus_metrics(labels)
