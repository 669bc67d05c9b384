"""Pages of a job's children."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

import toril.sync
from tests.support.database import Database
from tests.support.factories import QueueFactory
from toril import Job, OptionError, Queue
from toril.core.dependencies import DependencyKind


async def parent_of(queue: Queue, kids: Queue, count: int) -> list[str]:
    """A job `p` that waits for children, whose keys are given."""
    parent = await queue.add("gather", job_id="p")
    added = await kids.add_many(("kid", number, {"parent": parent}) for number in range(count))
    return [kids.ref.job_key(job.id) for job in added if isinstance(job, Job)]


async def test_pending_children_come_with_their_jobs(queue: Queue, new_queue: QueueFactory) -> None:
    keys = await parent_of(queue, new_queue("kids"), 3)

    page = await queue.get_dependencies("p", "pending")
    assert page.total == 3
    assert sorted(child.key for child in page.items) == keys
    assert {(child.job.name, child.job.queue_name) for child in page.items if child.job} == {("kid", "kids")}
    assert [(child.value, child.error) for child in page.items] == [(None, None)] * 3
    assert [await child.job.state() for child in page.items if child.job] == ["waiting"] * 3


async def test_results_are_read_as_json_or_told_to_be_none(queue: Queue, database: Database) -> None:
    key = f"{queue.ref.base}p:processed"
    database.command("HSET", key, "test:q:1", '{"a":[1]}', "test:q:2", "{", "no key", "null")

    page = await queue.get_dependencies("p")
    found = {child.key: (child.value, child.error is not None, child.job) for child in page.items}
    assert found == {
        "test:q:1": ({"a": [1]}, False, None),
        "test:q:2": (None, True, None),
        "no key": (None, False, None),
    }


async def test_pages_of_many_children_hold_each_of_them_once(queue: Queue, new_queue: QueueFactory) -> None:
    keys = await parent_of(queue, new_queue("kids"), 1_700)

    pages = [
        await queue.get_dependencies("p", "pending", start, start + 399) for start in range(0, 1_700, 400)
    ]
    assert [len(page.items) for page in pages] == [400, 400, 400, 400, 100]
    assert sorted(child.key for page in pages for child in page.items) == sorted(keys)
    assert all(child.job is not None for page in pages for child in page.items)
    assert {page.total for page in pages} == {1_700}
    assert len((await queue.get_dependencies("p", "pending")).items) == 1_700


async def test_where_there_are_no_children_the_page_is_empty(queue: Queue, database: Database) -> None:
    database.command("SET", f"{queue.ref.base}p:dependencies", "no set")

    kinds: tuple[DependencyKind, ...] = ("pending", "processed")
    for kind in kinds:
        page = await queue.get_dependencies("p", kind)
        assert (page.items, page.total) == ([], 0)
    await parent_of(queue, queue, 0)
    assert (await queue.get_dependencies("nobody", "pending", 5, 3)).items == []


async def test_what_can_not_be_asked_for_is_refused(queue: Queue) -> None:
    with pytest.raises(OptionError, match="kind='done'"):
        await queue.get_dependencies("p", cast("DependencyKind", "done"))
    with pytest.raises(OptionError, match="start=-1"):
        await queue.get_dependencies("p", "pending", -1)
    with pytest.raises(OptionError, match="end=-2"):
        await queue.get_dependencies("p", "pending", 0, -2)


async def test_blocking_code_gets_blocking_children(
    queue: Queue, new_queue: QueueFactory, url: str, prefix: str
) -> None:
    await parent_of(queue, new_queue("kids"), 1)

    def read() -> str:
        with toril.sync.Queue("tasks", url=url, prefix=prefix) as blocking:
            job = blocking.get_dependencies("p", "pending").items[0].job
            assert job is not None
            return job.state()

    assert await asyncio.to_thread(read) == "waiting"
