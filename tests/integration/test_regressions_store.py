"""Faults that were found once, in what queues and the store do: none of them may come back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually, eventually_sync
from tests.support.factories import QueueFactory, WorkerFactory, WorkerStarter
from tests.support.program import Program
from tests.support.proxy import proxy_of
from tests.support.requests import runs
from tests.support.server import OwnServer
from toril import Job, LockLost, OptionError, Queue, StoreUnavailable, Worker
from toril.core.results import Word
from toril.core.signals import Signals
from toril.model.event import Event
from toril.model.names import QueueRef
from toril.model.stream import StreamId
from toril.store.contract import Store
from toril.store.redis.coalesce import Coalescer

# Adds in one event loop after the other, without ever closing the queue.
_MANY_LOOPS = """
import asyncio, gc, sys, time
from toril import Queue

queue = Queue("tasks", url=sys.argv[1], prefix=sys.argv[2])

async def add():
    await queue.add("work")

for _ in range(15):
    asyncio.run(add())
gc.collect()
print("added")
time.sleep(60)
"""


def finish(id: str, **fields: str) -> Event:
    return Event(
        QueueRef("bull", "tasks"), id, {key.encode(): value.encode() for key, value in fields.items()}
    )


def answer(job: Job) -> str:
    return f"{job.name} is done"


async def test_a_counter_of_garbage_does_not_lose_a_job_that_is_retried(
    database: Database, queue: Queue, prefix: str, start_worker: WorkerStarter
) -> None:
    async def fail_once(job: Job) -> str:
        if job.attempts_started == 1:
            database.command("HSET", f"{prefix}:tasks:{job.id}", "atm", "{garbage")
            raise ValueError("not yet")
        return "done"

    job = await queue.add("work", attempts=2)
    await start_worker(fail_once)

    assert await job.result(timeout=10) == "done"


async def test_a_counter_of_garbage_does_not_lose_a_stalled_job(
    database: Database, queue: Queue, prefix: str, new_worker: WorkerFactory
) -> None:
    await queue.add("work")
    worker = new_worker(stalled_interval=0.01)
    job = await worker.get_next_job()
    assert job is not None
    key = f"{prefix}:tasks:{job.id}"
    database.command("HSET", key, "stc", "{garbage")
    database.command("DEL", f"{key}:lock")

    assert await eventually(worker.check_stalled) == [job.id]
    assert (await job.state(), database.command("HGET", key, "stc")) == ("waiting", "1")


def test_loops_that_end_without_closing_leave_no_connections(
    database: Database, url: str, prefix: str
) -> None:
    with Program(_MANY_LOOPS, url, prefix) as program:
        assert program.line() == "added"
        # The last loop has no successor that would notice its end.
        assert eventually_sync(lambda: len(database.clients()) <= 2)
    assert database.command("LLEN", f"{prefix}:tasks:wait") == 15


async def test_a_queue_that_could_not_connect_leaves_no_connection(tmp_path: Path) -> None:
    with OwnServer(tmp_path) as server, Database(server.url) as database:
        # What toril asks when it connects is refused, but not the connection.
        database.command("ACL", "SETUSER", "poor", "on", ">secret", "~*", "&*", "+@all", "-info")
        queue = Queue("tasks", url=server.url.replace("//", "//poor:secret@"))
        with pytest.raises(Exception, match="NOPERM"):
            await queue.ready()

        assert await eventually(lambda: not database.clients())


async def test_closing_a_queue_that_connects_leaves_no_connection(
    database: Database, new_queue: QueueFactory
) -> None:
    before = len(database.clients())
    queue = new_queue()
    opening = asyncio.create_task(queue.ready())
    await asyncio.sleep(0)
    await queue.close()

    with pytest.raises(StoreUnavailable, match="closed"):
        await opening
    assert await eventually(lambda: len(database.clients()) == before)


async def test_a_server_that_refuses_names_of_connections_is_used_all_the_same(
    database: Database, url: str, queue: Queue, start_worker: WorkerStarter
) -> None:
    database.command("ACL", "SETUSER", "plain", "on", ">secret", "~*", "&*", "+@all", "-client|setname")
    try:
        login = f"{url}{'&' if '?' in url else '?'}username=plain&password=secret"
        worker = await start_worker(answer, url=login)
        assert await (await queue.add("work")).result(timeout=10) == "work is done"
        await worker.close()
    finally:
        database.command("ACL", "DELUSER", "plain")


@pytest.mark.parametrize("name", ["wörker", "two words", "", "tab\t"])
def test_a_name_that_no_connection_can_have_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="'!' to '~'"):
        Worker("tasks", name=name)


@pytest.mark.parametrize(
    ("option", "options"),
    [
        ("lock_renew_time", {"lock_duration": 1.0, "lock_renew_time": 1.0}),
        ("lock_duration", {"lock_duration": 0.001}),
    ],
)
def test_times_that_keep_no_lock_are_refused(option: str, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=option):
        Worker("tasks", **options)


@pytest.mark.parametrize("count", [0, -1])
async def test_steps_of_no_jobs_are_refused(queue: Queue, count: int) -> None:
    with pytest.raises(OptionError, match="count"):
        await queue.retry_jobs(count=count)
    with pytest.raises(OptionError, match="count"):
        await queue.promote_jobs(count=count)


async def test_a_log_row_that_is_no_text_harms_no_neighbour(queue: Queue) -> None:
    job = await queue.add("work")
    await asyncio.gather(
        job.log("before"), job.log("half a \ud83d smile"), job.update_progress(1), job.log("after")
    )

    assert (await job.logs()).rows == ["before", "half a ? smile", "after"]


async def test_an_id_that_is_no_text_harms_no_neighbour(queue: Queue, store: Store) -> None:
    job = await queue.add("work")
    # Users are refused before it comes to that.
    logs = [store.jobs.log(queue.ref, id, "row", None) for id in ("\ud83d", job.id)]
    bad, good = await asyncio.gather(*logs, return_exceptions=True)

    assert isinstance(bad, UnicodeEncodeError)
    assert good == 1


async def test_who_is_cancelled_before_listening_leaves_no_reader(queue: Queue) -> None:
    job = await queue.add("work")
    tasks = asyncio.all_tasks()
    waiting = asyncio.create_task(job.result())
    await eventually(lambda: len(asyncio.all_tasks() - tasks) > 1)
    waiting.cancel()

    # The reader is a task, too.
    assert await eventually(lambda: asyncio.all_tasks() <= tasks)


async def test_a_result_is_awaited_through_a_restart_of_the_server(
    server: OwnServer, new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    job = await new_queue(url=server.url).add("work")
    with Database(server.url) as database:
        waiting = asyncio.create_task(job.result(timeout=30))
        await eventually(lambda: any(client["cmd"] == "xread" for client in database.clients()))
    server.kill()
    server.start()
    worker = await start_worker(answer, url=server.url)

    assert await waiting == "work is done"
    await worker.close()


async def test_closing_a_queue_ends_the_wait_for_its_results(database: Database, queue: Queue) -> None:
    job = await queue.add("work")
    waiting = asyncio.create_task(job.result())
    await eventually(lambda: any(client["cmd"] == "xread" for client in database.clients()))
    await queue.close()

    with pytest.raises(StoreUnavailable, match="closed"):
        await asyncio.wait_for(waiting, 5)


def test_a_job_that_finished_and_was_removed_has_finished() -> None:
    word = Word()
    word.tell(finish("5-1", event="completed", returnvalue="1"))
    word.tell(finish("5-2", event="removed"))
    word.tell(None)

    assert word.event == {"event": "completed", "returnvalue": "1"}


def test_what_ended_before_a_job_was_seen_unfinished_was_another_life_of_it() -> None:
    word = Word()
    word.tell(finish("5-1", event="completed", returnvalue="1"))
    word.tell(finish("5-2", event="removed"))
    word.after = StreamId(5, 2)
    assert word.event is None

    word.tell(finish("5-3", event="failed", failedReason="no"))
    assert word.event == {"event": "failed", "failedReason": "no"}


async def test_a_listener_that_was_cancelled_harms_nobody() -> None:
    heard: list[str] = []

    def cancelled() -> None:
        raise asyncio.CancelledError

    signals = Signals(["done"])
    signals.add("done", cancelled)
    signals.add("done", lambda: heard.append("done"))
    signals.tell("done")

    assert heard == ["done"]


async def test_a_listener_that_settles_does_not_wait_for_itself() -> None:
    settled = asyncio.Event()
    signals = Signals(["done"])

    async def settle() -> None:
        await signals.settle()
        settled.set()

    signals.add("done", settle)
    signals.tell("done")

    await asyncio.wait_for(settled.wait(), 2)
    assert settled.is_set()


async def test_what_waits_behind_a_dead_server_fails_with_it() -> None:
    batches: list[Sequence[int]] = []
    dead = asyncio.Event()

    async def send(numbers: Sequence[int]) -> list[int | Exception]:
        batches.append(numbers)
        await dead.wait()
        raise StoreUnavailable("dead")

    coalescer: Coalescer[int, int] = Coalescer(send, lambda number: 1, most=1, slow=0)
    asking = [asyncio.create_task(coalescer.ask(number)) for number in range(5)]
    await eventually(lambda: batches)
    dead.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)

    assert [type(answer) for answer in answers] == [StoreUnavailable] * 5
    assert batches == [[0]]


async def test_many_large_jobs_are_added_in_several_calls(database: Database, queue: Queue) -> None:
    await (await queue.add("warm up")).remove()
    database.command("CONFIG", "RESETSTAT")
    await queue.add_many([("work", "x" * 400_000) for _ in range(9)])

    assert database.command("INFO", "commandstats")["cmdstat_evalsha"]["calls"] == 3


async def test_a_lost_lock_is_told_once(
    database: Database, queue: Queue, prefix: str, start_worker: WorkerStarter
) -> None:
    lost: list[str | None] = []
    go_on = asyncio.Event()

    def note(error: BaseException) -> None:
        if isinstance(error, LockLost):
            lost.append(error.job_id)

    async def wait(job: Job) -> None:
        await go_on.wait()

    jobs = [await queue.add("work"), await queue.add("work")]
    worker = await start_worker(wait, concurrency=2, lock_renew_time=0.02)
    worker.on("error", note)
    for job in jobs:
        lock = f"{prefix}:tasks:{job.id}:lock"
        await eventually(lambda lock=lock: database.command("EXISTS", lock))
        database.command("DEL", lock)
        await eventually(lambda id=job.id: id in lost)
    told = list(lost)
    go_on.set()

    assert told == [job.id for job in jobs]


async def test_a_receipt_keeps_no_fields_of_jobs_that_existed(
    database: Database, url: str, prefix: str, new_queue: QueueFactory
) -> None:
    async with proxy_of(url) as proxy:
        queue = new_queue(url=proxy.url)
        await queue.add("work", "x" * 10_000, job_id="one")
        proxy.lose_reply(runs("add"))
        job = await queue.add("work", "y", job_id="one")
        await queue.close()

    receipts = [key for key in database.dump(own_keys=True) if key.startswith(f"{prefix}:tasks:toril:sent:")]
    assert (proxy.lost, job.created, job.data) == (1, False, "x" * 10_000)
    assert max(database.command("STRLEN", key) for key in receipts) < 100


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnServer]:
    """A server of this test's own."""
    with OwnServer(tmp_path) as server:
        yield server
