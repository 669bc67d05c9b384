"""What becomes of running jobs, with every refusal there is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests.contract.teller import Teller
from tests.support.clock import START_MS, Clock
from tests.support.database import Database
from toril import (
    FailedChildren,
    JobNotFound,
    JobNotInState,
    LockLost,
    LockMismatch,
    ParentRef,
    PendingChildren,
)
from toril.store.values import AwaitChildren, Claim, DelayJob, Finish, GiveBack, RetryNow, Settlement

Make = Callable[[str, str], Settlement]

VERBS: dict[str, Make] = {
    "complete": lambda id, token: Finish(id, token, "completed", "1"),
    "complete with fields": lambda id, token: Finish(id, token, "completed", "1", ["progress", "1"]),
    "fail": lambda id, token: Finish(id, token, "failed", "broken", ["stacktrace", "[]"]),
    "retry": RetryNow,
    "delay": lambda id, token: DelayJob(id, token, 1000, True),
    "give back": GiveBack,
}
ENDS = {
    "complete": "completed",
    "complete with fields": "completed",
    "fail": "failed",
    "retry": "waiting",
    "delay": "delayed",
    "give back": "waiting",
}

all_verbs = pytest.mark.parametrize("verb", VERBS)


@all_verbs
async def test_a_running_job_is_settled(teller: Teller, verb: str, database: Database) -> None:
    await teller.add()
    await teller.take()

    assert await teller.settle(VERBS[verb]("1", "token")) == [0]
    assert await teller.state("1") == ENDS[verb]
    assert database.command("EXISTS", teller.key("1:lock")) == 0


@all_verbs
async def test_of_an_id_that_runs_twice_the_older_entry_leaves(
    teller: Teller, verb: str, database: Database
) -> None:
    for id in ("a", "b"):
        await teller.add(job_id=id)
        await teller.take()
    # Somebody deletes the job while it runs, and it is added anew.
    database.command("DEL", teller.key("a"))
    await teller.add(job_id="a")
    await teller.take(token="again")

    assert await teller.settle(VERBS[verb]("a", "again")) == [0]
    assert database.command("LRANGE", teller.key("active"), 0, -1) == ["a", "b"]


@all_verbs
async def test_an_unknown_job(teller: Teller, verb: str, database: Database) -> None:
    before = database.dump()
    answers = await teller.settle(VERBS[verb]("77", "token"))

    assert [
        (type(answer), answer.code, answer.job_id) for answer in answers if not isinstance(answer, int)
    ] == [(JobNotFound, -1, "77")]
    assert database.dump() == before


@all_verbs
async def test_a_lock_that_ran_out(teller: Teller, verb: str, database: Database) -> None:
    await teller.add()
    await teller.take()
    database.command("DEL", teller.key("1:lock"))
    (answer,) = await teller.settle(VERBS[verb]("1", "token"))

    assert isinstance(answer, LockLost)
    assert (answer.code, await teller.state("1")) == (-2, "active")


@all_verbs
async def test_a_lock_of_another_worker(teller: Teller, verb: str) -> None:
    await teller.add()
    await teller.take()
    (answer,) = await teller.settle(VERBS[verb]("1", "another"))

    assert isinstance(answer, LockMismatch)
    assert (answer.code, await teller.state("1")) == (-6, "active")


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "give back"])
async def test_a_job_that_is_not_active(teller: Teller, verb: str, database: Database) -> None:
    await teller.add()
    await teller.take()
    database.command("LREM", teller.key("active"), 0, "1")
    (answer,) = await teller.settle(VERBS[verb]("1", "token"))

    assert isinstance(answer, JobNotInState)
    assert answer.code == -3


async def test_giving_back_a_job_that_is_not_active_leaves_it_where_it_is(
    teller: Teller, database: Database
) -> None:
    await teller.add()
    await teller.take()
    database.command("LREM", teller.key("active"), 0, "1")

    assert await teller.settle(GiveBack("1", "token")) == [0]
    assert await teller.state("1") == "unknown"


async def running_parent(teller: Teller) -> str:
    """A job that runs and has a child that waits."""
    await teller.add()
    await teller.take()
    return await teller.add(parent=ParentRef("1", teller.queue.qualified), on_failure="fail_parent")


async def test_pending_children_forbid_to_complete(teller: Teller) -> None:
    await running_parent(teller)
    (answer,) = await teller.settle(Finish("1", "token", "completed", "1"))

    assert isinstance(answer, PendingChildren)
    assert (answer.code, await teller.state("1")) == (-4, "active")


async def test_but_not_to_fail(teller: Teller) -> None:
    await running_parent(teller)

    assert await teller.settle(Finish("1", "token", "failed", "broken")) == [0]


async def test_failed_children_forbid_to_complete_and_to_wait_for_them(teller: Teller) -> None:
    child = await running_parent(teller)
    assert await teller.take() == [child]
    await teller.settle(Finish(child, "token", "failed", "broken"))
    answers = await teller.settle(Finish("1", "token", "completed", "1"), AwaitChildren("1", "token"))

    assert [type(answer) for answer in answers] == [FailedChildren, FailedChildren]
    assert await teller.state("1") == "active"


async def test_waiting_for_children(teller: Teller) -> None:
    child = await running_parent(teller)

    assert await teller.settle(AwaitChildren("1", "token", "p:none:1")) == [1]
    assert await teller.settle(AwaitChildren("1", "token")) == [0]
    assert await teller.state("1") == "waiting-children"
    await teller.take()
    await teller.settle(Finish(child, "token", "completed", '"x"'))
    assert await teller.state("1") == "waiting"
    assert await teller.store.family.children_values(teller.queue, "1") == {teller.key(child): b'"x"'}


async def test_there_are_no_children_to_wait_for(teller: Teller) -> None:
    await teller.add()
    await teller.take()

    assert await teller.settle(AwaitChildren("1", "token")) == [1]
    assert await teller.state("1") == "active"


async def test_a_batch_answers_each_for_itself(teller: Teller) -> None:
    for _ in range(3):
        await teller.add()
    await teller.take(3)
    answers = await teller.settle(
        Finish("1", "token", "completed", "1"),
        Finish("1", "token", "completed", "1"),
        Finish("2", "another", "completed", "1"),
        GiveBack("77", "token"),
        DelayJob("3", "token", 5, False),
    )

    assert [answer if isinstance(answer, int) else type(answer) for answer in answers] == [
        0,
        LockLost,
        LockMismatch,
        JobNotFound,
        0,
    ]


async def test_giving_back_tells_how_long_the_queue_is_limited(teller: Teller) -> None:
    await teller.add()
    await teller.take()
    await teller.store.queues.rate_limit(teller.queue, 60_000)
    (answer,) = await teller.settle(GiveBack("1", "token"))

    assert isinstance(answer, int)
    assert 50_000 < answer <= 60_000


@pytest.mark.parametrize(("verb", "made"), [("retry", 1), ("delay", 1), ("give back", 0), ("complete", 1)])
async def test_attempts_are_counted_where_they_count(teller: Teller, verb: str, made: int) -> None:
    await teller.add()
    await teller.take()
    await teller.settle(VERBS[verb]("1", "token"))
    stored = await teller.store.jobs.get(teller.queue, "1")

    assert stored is not None
    assert (stored.attempts_made, stored.attempts_started) == (made, 1)


async def test_settling_and_taking_in_one_call(teller: Teller, clock: Clock) -> None:
    await teller.add()
    await teller.add()
    claim = Claim(token="first", lock_ms=30_000)
    await teller.store.jobs.take(teller.queue, claim)
    settled = await teller.store.jobs.settle(
        teller.queue, [Finish("1", "first", "completed", "1")], replace(claim, token="second"), at_ms=clock.ms
    )

    assert settled.answers == [0]
    assert [(job.id, job.token) for job in settled.taken.jobs] == [("2", "second")]


@all_verbs
async def test_the_same_call_again_is_answered_as_if_it_were_the_first(
    teller: Teller, verb: str, database: Database
) -> None:
    for _ in range(3):
        await teller.add()
    claim = Claim(token="first", lock_ms=30_000)
    await teller.store.jobs.take(teller.queue, claim)
    settlements = [VERBS[verb]("1", "first")]
    claim = replace(claim, token="second")
    first = await teller.store.jobs.settle(teller.queue, settlements, claim, at_ms=START_MS)
    before = database.dump()
    again = await teller.store.jobs.settle(teller.queue, settlements, claim, at_ms=START_MS, again=True)

    assert again.answers == first.answers == [0]
    assert [(job.id, job.token, job.fields[b"name"]) for job in again.taken.jobs] == [
        (job.id, job.token, job.fields[b"name"]) for job in first.taken.jobs
    ]
    after = database.dump()
    # The marker is a hint, which may be given twice.
    for dump in (before, after):
        del dump[teller.key("marker")]
    assert {key: after[key][:2] for key in after} == {key: before[key][:2] for key in before}


async def test_metrics_are_counted_by_the_minute(teller: Teller, clock: Clock, database: Database) -> None:
    for minute, finished in ((0, 3), (1, 3), (4, 1), (30, 1), (31, 1)):
        clock.ms = START_MS + minute * 60_000
        for _ in range(finished):
            id = await teller.add()
            await teller.take()
            await teller.settle(Finish(id, "token", "completed", "1", points=4))

    assert database.command("LRANGE", teller.key("metrics:completed:data"), 0, -1) == ["1", "0", "0", "0"]
    assert database.command("HGET", teller.key("metrics:completed"), "count") == "9"


async def test_a_broken_job_does_not_break_its_neighbours(teller: Teller, database: Database) -> None:
    for _ in range(5):
        await teller.add()
    await teller.take(5)
    database.command("DEL", teller.key("3"))
    database.command("SET", teller.key("3"), "not a job")
    answers = await teller.settle(*(Finish(str(n), "token", "completed", "1") for n in (1, 2, 3, 4, 5)))

    assert [answer == 0 for answer in answers] == [True, True, False, True, True]
    assert await teller.store.queues.counts(teller.queue, ("completed",)) == [4]
