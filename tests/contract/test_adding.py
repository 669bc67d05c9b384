"""Adding jobs: answers, refusals, and all or none."""

from __future__ import annotations

import pytest

from tests.contract.teller import Teller
from tests.support.database import Database
from toril import DuplicateJob, JobError, JobLocked, ParentNotFound, ParentNotReplaceable, ParentRef
from toril.model.names import QueueRef
from toril.store.values import Added


def parent_of(teller: Teller, id: str) -> ParentRef:
    return ParentRef(id, teller.queue.qualified)


async def test_ids_are_counted(teller: Teller) -> None:
    assert [await teller.add() for _ in range(3)] == ["1", "2", "3"]


async def test_an_id_of_the_callers_own_uses_up_a_number(teller: Teller) -> None:
    assert [await teller.add(), await teller.add(job_id="mine"), await teller.add()] == ["1", "mine", "3"]


async def test_an_existing_job_is_answered_with_what_is_stored(teller: Teller) -> None:
    await teller.add(job_id="mine", priority=4)
    added = await teller.add_existing(job_id="mine")

    assert added.id == "mine"
    assert added.existing is not None
    assert added.existing.priority == 4
    assert teller.events("added", "duplicated") == [("added", "mine"), ("duplicated", "mine")]


async def test_a_duplicate_can_be_refused(teller: Teller) -> None:
    await teller.add(job_id="mine")
    refusal = await teller.add_refused(job_id="mine", on_duplicate="raise")

    assert (type(refusal), refusal.job_id, refusal.queue) == (DuplicateJob, "mine", "tasks")


async def test_a_running_job_is_not_replaced(teller: Teller) -> None:
    await teller.add(job_id="mine")
    await teller.take()

    assert isinstance(await teller.add_refused(job_id="mine", on_duplicate="replace"), JobLocked)
    assert await teller.state("mine") == "active"


@pytest.mark.parametrize("options", [{}, {"delay": 60}, {"priority": 3}])
async def test_any_other_is(teller: Teller, options: dict[str, object]) -> None:
    await teller.add(job_id="mine", **options)
    await teller.add(job_id="mine", on_duplicate="replace", attempts=7)
    stored = await teller.store.jobs.get(teller.queue, "mine")

    assert stored is not None
    assert (stored.attempts, await teller.state("mine")) == (7, "waiting")
    assert await teller.store.queues.counts(teller.queue, ("waiting", "delayed", "prioritized")) == [1, 0, 0]


async def test_a_parent_must_exist(teller: Teller, database: Database) -> None:
    before = database.dump()
    refusal = await teller.add_refused(parent=parent_of(teller, "gone"))

    assert (type(refusal), refusal.code) == (ParentNotFound, -5)
    assert database.dump() == before


async def test_a_job_has_one_living_parent(teller: Teller) -> None:
    first, second = await teller.add(), await teller.add()
    await teller.add(job_id="child", parent=parent_of(teller, first))
    refusal = await teller.add_refused(job_id="child", parent=parent_of(teller, second))

    assert (type(refusal), refusal.code) == (ParentNotReplaceable, -7)


async def test_a_job_whose_parent_is_gone_gets_another(teller: Teller, database: Database) -> None:
    first, second = await teller.add(), await teller.add()
    await teller.add(job_id="child", parent=parent_of(teller, first))
    database.command("DEL", teller.key(first))
    await teller.add_existing(job_id="child", parent=parent_of(teller, second))

    assert database.dump()[teller.key(f"{second}:dependencies")].value == [teller.key("child")]


async def test_each_of_many_gets_its_own_answer(teller: Teller) -> None:
    await teller.add(job_id="mine")
    jobs = [
        teller.job(),
        teller.job(job_id="mine", on_duplicate="raise"),
        teller.job(job_id="mine"),
        teller.job(parent=parent_of(teller, "gone")),
        teller.job(),
    ]
    answers = await teller.store.jobs.add_many(teller.queue, jobs, atomic=False)

    assert [type(answer) for answer in answers] == [Added, DuplicateJob, Added, ParentNotFound, Added]


async def test_all_or_none(teller: Teller, database: Database) -> None:
    before = database.dump()
    jobs = [teller.job(), teller.job(job_id="a"), teller.job(job_id="a", on_duplicate="raise")]

    with pytest.raises(JobError):
        await teller.store.jobs.add_many(teller.queue, jobs, atomic=True)
    assert database.dump() == before
    assert len(await teller.store.jobs.add_many(teller.queue, jobs[:2], atomic=True)) == 2


async def test_all_of_thousands_or_none(teller: Teller) -> None:
    jobs = [teller.job() for _ in range(2500)]

    assert len(await teller.store.jobs.add_many(teller.queue, jobs, atomic=True)) == 2500
    assert await teller.store.queues.counts(teller.queue, ("waiting",)) == [2500]


async def test_a_tree_is_added_parents_first(teller: Teller) -> None:
    other = QueueRef(teller.queue.prefix, "others")
    root, child = teller.job(job_id="root"), teller.job(job_id="child")
    root.more = {"waits": True}
    child.more = {
        "base": other.base,
        "parentKey": teller.key("root"),
        "parent": '{"id":"root"}',
        "dependencies": teller.key("root:dependencies"),
    }
    added = await teller.store.jobs.add_tree(teller.queue, [root, child], [teller.key("root")], strict=True)

    assert added == [Added("root"), Added("child")]
    assert await teller.state("root") == "waiting-children"
    assert await teller.store.jobs.state(other, "child") == "waiting"


async def test_the_events_stay_near_their_bound(teller: Teller, database: Database) -> None:
    await teller.store.queues.announce(teller.queue, 100)
    await teller.store.jobs.add_many(teller.queue, [teller.job() for _ in range(2000)], atomic=False)

    assert database.command("XLEN", teller.key("events")) < 400
