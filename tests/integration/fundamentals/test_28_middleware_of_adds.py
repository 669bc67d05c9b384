"""Functions around adding jobs: they see what is added, change it and refuse it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.eventually import eventually
from toril import (
    AddNext,
    Flow,
    FlowProducer,
    Job,
    JobDraft,
    JobError,
    JobSpec,
    OptionError,
    ParentNotFound,
    ParentRef,
    Queue,
)
from toril.sync import Queue as PlainQueue

tenant = contextvars.ContextVar("tenant", default="nobody")


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
async def stamped(url: str, prefix: str, told: list[str]) -> Any:
    async def stamp(drafts: Sequence[JobDraft], call_next: AddNext) -> Sequence[Job | JobError]:
        for draft in drafts:
            if draft.data == {"spam": True}:
                raise PermissionError(f"{draft.name} is spam")
            draft.name = f"{draft.queue}.{draft.name}"
            draft.data = {**draft.data, "by": tenant.get()}
            draft.options["priority"] = 3
        added = await call_next(drafts)
        told.extend(each.name if isinstance(each, Job) else type(each).__name__ for each in added)
        return added

    async with Queue("tasks", url=url, prefix=prefix, middleware=[stamp]) as queue:
        yield queue


async def test_an_add_may_be_changed_and_seen(stamped: Queue, told: list[str]) -> None:
    data = {"size": 1}
    job = await stamped.add("mail", data, attempts=2)
    bare = await stamped.add("mail")
    stored = await stamped.get_job(job.id)

    assert stored is not None
    assert (stored.name, stored.data, stored.priority) == ("tasks.mail", {"size": 1, "by": "nobody"}, 3)
    assert stored.opts["attempts"] == 2
    assert bare.data == {"by": "nobody"}
    assert data == {"size": 1}
    assert told == ["tasks.mail", "tasks.mail"]


async def test_a_refused_add_writes_nothing(stamped: Queue) -> None:
    with pytest.raises(PermissionError, match="mail is spam"):
        await stamped.add("mail", {"spam": True})
    with pytest.raises(PermissionError, match="mail is spam"):
        await stamped.add_many([("mail", {}), ("mail", {"spam": True})])

    assert await stamped.count() == 0


async def test_many_are_added_in_one_go(stamped: Queue, told: list[str]) -> None:
    lost = ParentRef("gone", stamped.ref.qualified)
    specs: list[Any] = [("mail", {"to": 1}), JobSpec("post", {"to": 2}, {"parent": lost})]
    mail, post = await stamped.add_many(specs)

    assert isinstance(mail, Job)
    assert mail.data == {"to": 1, "by": "nobody"}
    assert isinstance(post, ParentNotFound)
    assert told == ["tasks.mail", "ParentNotFound"]


async def test_a_single_add_that_is_refused_raises(stamped: Queue, told: list[str]) -> None:
    with pytest.raises(ParentNotFound):
        await stamped.add("mail", {}, parent=ParentRef("gone", stamped.ref.qualified))
    with pytest.raises(ParentNotFound):
        await stamped.add_many(
            [JobSpec("mail", {}, {"parent": ParentRef("gone", stamped.ref.qualified)})], atomic=True
        )

    assert told == ["ParentNotFound"]


async def test_an_add_may_be_answered_without_being_made(queue: Queue, url: str, prefix: str) -> None:
    there = await queue.add("mail")

    async def reuse(drafts: Sequence[JobDraft], call_next: AddNext) -> Sequence[Job | JobError]:
        return [there for _ in drafts]

    async with Queue("tasks", url=url, prefix=prefix, middleware=[reuse]) as lazy:
        assert (await lazy.add("mail")).id == there.id
        assert [getattr(job, "id", None) for job in await lazy.add_many([("mail", 1), ("mail", 2)])] == [
            there.id,
            there.id,
        ]
        assert await queue.count() == 1


@pytest.mark.parametrize("how", ["fewer", "more", "none", "others"])
async def test_jobs_can_not_get_lost_on_the_way(queue: Queue, url: str, prefix: str, how: str) -> None:
    async def confused(drafts: Sequence[JobDraft], call_next: Any) -> Any:
        handed: dict[str, Any] = {"fewer": drafts[1:], "more": [*drafts, drafts[0]], "none": None}
        return await call_next(handed.get(how, ["a", "b"]))

    async with Queue("tasks", url=url, prefix=prefix, middleware=[confused]) as odd:
        with pytest.raises(OptionError, match="middleware"):
            await odd.add_many([("mail", 1), ("mail", 2)])
        assert await queue.count() == 0


async def test_answers_can_not_get_lost_on_the_way_back(url: str, prefix: str) -> None:
    async def forgets(drafts: Sequence[JobDraft], call_next: AddNext) -> Any:
        await call_next(drafts)

    async with Queue("tasks", url=url, prefix=prefix, middleware=[forgets]) as odd:
        with pytest.raises(OptionError, match="middleware"):
            await odd.add("mail")


async def test_what_it_makes_of_a_job_is_checked(url: str, prefix: str) -> None:
    async def breaks(drafts: Sequence[JobDraft], call_next: AddNext) -> Sequence[Job | JobError]:
        drafts[0].options["attempts"] = -1
        return await call_next(drafts)

    async with Queue("tasks", url=url, prefix=prefix, middleware=[breaks]) as queue:
        with pytest.raises(OptionError, match="attempts"):
            await queue.add("mail")
        assert await queue.count() == 0


async def test_a_tree_is_changed_all_over(url: str, prefix: str, queue: Queue) -> None:
    seen: list[tuple[str, str]] = []

    async def encode(drafts: Sequence[JobDraft], call_next: AddNext) -> Sequence[Job | JobError]:
        seen.extend((draft.queue, draft.name) for draft in drafts)
        for draft in drafts:
            # A set has no JSON form before.
            draft.data = sorted(draft.data)
        added = await call_next(drafts)
        seen.extend((each.queue_name, "added") for each in added if isinstance(each, Job))
        return added

    leaf = Flow("leaf", {3, 1}, queue="tasks")
    tree = Flow(
        "root", {2}, queue="reports", children=[leaf, Flow("twig", {5}, queue="tasks", children=[leaf])]
    )
    async with FlowProducer(url=url, prefix=prefix, middleware=[encode]) as producer:
        node = await producer.add(tree)

    assert node.job.data == [2]
    assert [child.job.data for child in node.children] == [[1, 3], [5]]
    assert [child.job.data for child in node.children[1].children] == [[1, 3]]
    assert await queue.get_waiting_count() == 2
    order = ["reports", "tasks", "tasks", "tasks"]
    names = ["root", "leaf", "twig", "leaf"]
    assert seen == [*zip(order, names, strict=True), *((place, "added") for place in order)]
    assert leaf.data == {3, 1}


async def test_a_tree_can_be_refused_but_not_made_up(url: str, prefix: str, queue: Queue) -> None:
    async def skips(drafts: Sequence[JobDraft], call_next: AddNext) -> Sequence[Job | JobError]:
        return [await queue.add("stand-in")]

    async def refuses(drafts: Sequence[JobDraft], call_next: AddNext) -> Sequence[Job | JobError]:
        raise PermissionError("not today")

    for middleware, error in ((skips, OptionError), (refuses, PermissionError)):
        async with FlowProducer(url=url, prefix=prefix, middleware=[middleware]) as producer:
            with pytest.raises(error):
                await producer.add(Flow("root", queue="tasks"))
    assert await queue.count() == 1


async def test_a_tree_in_itself_is_refused_before_middleware_sees_it(url: str, prefix: str) -> None:
    seen: list[Any] = []

    async def see(drafts: Sequence[JobDraft], call_next: AddNext) -> Sequence[Job | JobError]:
        seen.append(drafts)
        return await call_next(drafts)

    snake = Flow("snake", queue="tasks")
    snake.children.append(snake)
    async with FlowProducer(url=url, prefix=prefix, middleware=[see]) as producer:
        with pytest.raises(OptionError, match="among its own children"):
            await producer.add(snake)
    assert seen == []


async def test_blocking_code_has_it_too(url: str, prefix: str) -> None:
    async def stamp(drafts: Sequence[JobDraft], call_next: AddNext) -> Sequence[Job | JobError]:
        drafts[0].data = tenant.get()
        return await call_next(drafts)

    def add() -> Any:
        tenant.set("eve")
        with PlainQueue("tasks", url=url, prefix=prefix, middleware=[stamp]) as queue:
            return queue.add("mail").data

    assert await asyncio.to_thread(add) == "eve"
    await eventually(lambda: tenant.get() == "nobody")
