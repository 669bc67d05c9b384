"""Commands that only look."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

import toril.sync
from tests.cli.conftest import Read, Run, Start, complete_one, ended, fail_one, names, take
from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from toril import Flow, Job, Queue, Worker

WithWorker = Callable[..., Any]


def test_no_queues(run: Run, read: Read, empty: None) -> None:
    assert run("queues").stdout == "There are no queues yet.\n"
    assert read("queues") == []


def test_queues_with_their_counts(
    run: Run, read: Read, mail: toril.sync.Queue, with_worker: WithWorker, url: str, prefix: str
) -> None:
    mail.add("welcome")
    with_worker(complete_one)
    mail.add("later", delay=60)
    mail.upsert_job_scheduler("daily", every=86_400)
    with toril.sync.Queue("images", url=url, prefix=prefix) as images:
        images.pause()

    first, second = read("queues")
    assert (first["name"], first["paused"], first["schedulers"]) == ("images", True, 0)
    assert (second["name"], second["paused"], second["schedulers"], second["workers"]) == (
        "mail",
        False,
        1,
        0,
    )
    assert second["counts"]["completed"] == 1
    assert second["counts"]["delayed"] + second["counts"]["waiting"] == 2
    table = run("queues").stdout.splitlines()
    assert table[0].split()[:3] == ["QUEUE", "ACTIVE", "WAIT"]
    assert table[1].split()[0] == "images"
    assert table[1].split()[-1] == "paused"
    assert len(table) == 3


def test_jobs_by_state_name_and_number(
    run: Run, read: Read, mail: toril.sync.Queue, with_worker: WithWorker
) -> None:
    for number in range(4):
        mail.add("welcome" if number % 2 else "bye", {"n": number})
    with_worker(fail_one)

    assert names(read("jobs", "mail"), "state") == ["waiting"] * 3 + ["failed"]
    assert names(read("jobs", "mail", "--limit", "2"), "id") == ["2", "3"]
    assert names(read("jobs", "mail", "--name", "welcome"), "data") == [{"n": 1}, {"n": 3}]
    [failed] = read("jobs", "mail", "--state", "failed")
    assert (failed["failed_reason"], failed["attempts_made"]) == ("no such address", 1)
    assert read("jobs", "mail", "--state", "failed", "--state", "waiting", "--limit", "1") == [failed]
    assert "no such address" in run("jobs", "mail", "--state", "failed").stdout
    assert run("jobs", "mail", "--name", "nothing").stdout == "There are no such jobs.\n"


def test_jobs_of_one_name_are_found_behind_many_others(read: Read, mail: toril.sync.Queue) -> None:
    mail.add_many([("many", n) for n in range(250)])
    mail.add("one")

    assert names(read("jobs", "mail", "--name", "one"), "id") == ["251"]


def test_everything_about_a_job(
    run: Run, read: Read, mail: toril.sync.Queue, with_worker: WithWorker
) -> None:
    job = mail.add("welcome", {"to": "a"}, attempts=2, delay=0.001)
    job.log("first row")
    job.update_progress(40)

    async def fail_and_complete(worker: Worker) -> None:
        await worker.fail(await take_when_due(worker), ValueError("no such address"))
        await worker.complete(await take(worker), {"sent": 1})

    with_worker(fail_and_complete)
    found = read("job", job.id)

    assert (found["state"], found["queue"], found["name"]) == ("completed", "mail", "welcome")
    assert (found["data"], found["result"]) == ({"to": "a"}, {"sent": 1})
    assert (found["attempts"], found["attempts_made"], found["worker"]) == (2, 2, "w1")
    assert found["options"]["delay"] == 1
    assert "no such address" in found["stacktrace"][0]
    assert found["logs"] == {"rows": ["first row"], "count": 1}
    assert found["lock"] is None
    assert names(found["timeline"], "event") == ["added", "due", "started", "completed"]
    assert found["tree"]["children"] == []
    shown = run("job", job.id, "--queue", "mail").stdout
    for part in ("first row", "no such address", '"sent": 1', "2 of 2", "TIMELINE", "completed"):
        assert part in shown


async def take_when_due(worker: Worker) -> Job:
    job = await worker.get_next_job(block=True)
    assert job is not None
    return job


def test_the_lock_of_a_running_job(
    read: Read, run: Run, mail: toril.sync.Queue, with_worker: WithWorker
) -> None:
    job = mail.add("welcome")
    token = with_worker(take_token)
    lock = read("job", job.id)["lock"]

    assert lock["token"] == token
    assert 0 < lock["expires_in"] <= 30
    assert "expires in" in run("job", job.id).stdout


async def take_token(worker: Worker) -> str:
    return (await take(worker)).token


def test_a_job_with_its_tree(run: Run, read: Read, mail: toril.sync.Queue, url: str, prefix: str) -> None:
    with toril.sync.FlowProducer(url=url, prefix=prefix) as flows:
        tree = flows.add(Flow("parent", queue="mail", children=[Flow("child", queue="images", job_id="c")]))
    found = read("job", tree.job.id, "--queue", "mail")

    assert found["state"] == "waiting-children"
    assert found["dependencies"]["unprocessed"] == 1
    [child] = found["tree"]["children"]
    assert (child["id"], child["queue"], child["state"]) == ("c", "images", "waiting")
    assert "images c child: waiting" in run("job", tree.job.id).stdout
    assert read("job", "c")["parent"] == f"{prefix}:mail:{tree.job.id}"


def test_what_a_job_holds_does_nothing_to_the_terminal(run: Run, mail: toril.sync.Queue) -> None:
    job = mail.add("\x1b[31mred\x1b[0m", "[bold]text[/bold] \x07", job_id="j")

    for shown in (run("jobs", "mail").stdout, run("job", job.id).stdout):
        assert "\x1b" not in shown
        assert "\x07" not in shown
        assert "[bold]text[/bold]" in shown


def test_a_payload_that_is_no_json_is_shown_as_it_is(
    read: Read, mail: toril.sync.Queue, database: Any, prefix: str
) -> None:
    job = mail.add("welcome")
    database.command("HSET", f"{prefix}:mail:{job.id}", "data", "{broken")

    assert read("job", job.id)["data"] == "{broken"
    assert read("jobs", "mail")[0]["data"] == "{broken"


def test_schedulers_are_listed_and_removed(run: Run, read: Read, mail: toril.sync.Queue) -> None:
    assert run("schedulers").stdout == "There are no job schedulers.\n"
    mail.upsert_job_scheduler("hourly", cron="0 * * * *", tz="Europe/Vienna")
    mail.upsert_job_scheduler("often", every=10)

    first, second = read("schedulers")
    assert (first["id"], first["every"], first["queue"]) == ("often", 10, "mail")
    assert (second["id"], second["cron"], second["tz"]) == ("hourly", "0 * * * *", "Europe/Vienna")
    assert datetime.fromisoformat(second["next_at"]) > datetime.now(UTC)
    assert "Europe/Vienna" in run("schedulers", "mail").stdout
    run("schedulers", "mail", "--remove", "often", typed="n\n", code=1)
    assert len(read("schedulers")) == 2
    assert read("schedulers", "mail", "--remove", "often", "--yes") == {"queue": "mail", "removed": ["often"]}
    assert names(read("schedulers"), "id") == ["hourly"]


def test_no_worker_is_connected(run: Run, read: Read, mail: toril.sync.Queue) -> None:
    assert run("workers").stdout == "No worker is connected.\n"
    assert read("workers", "mail") == []


async def test_workers_that_are_connected(
    start: Start, start_worker: WorkerStarter, prefix: str, queue: Queue
) -> None:
    async def nothing(job: Job) -> None:
        await asyncio.sleep(0)

    await start_worker(nothing, name="w7", skip_heartbeat=True)
    await eventually(queue.get_workers_count)
    out, _ = await asyncio.to_thread(ended, start("workers", "--json", "--prefix", prefix))
    [worker] = msgspec.json.decode(out)

    assert (worker["queue"], worker["name"]) == ("tasks", "w7")
    assert worker["age"] < 60
    shown, _ = await asyncio.to_thread(ended, start("workers", "tasks", "--prefix", prefix))
    assert shown.splitlines()[1].split()[:2] == ["tasks", "w7"]


async def test_workers_that_tell_of_themselves(
    start: Start, start_worker: WorkerStarter, prefix: str, queue: Queue
) -> None:
    async def nothing(job: Job) -> None:
        await asyncio.sleep(0)

    await start_worker(nothing, name="silent", skip_heartbeat=True)
    worker = await start_worker(nothing, name="w8", concurrency=3)
    await eventually(queue.workers)
    await eventually(lambda: _two_are_connected(queue))
    out, _ = await asyncio.to_thread(ended, start("workers", "--json", "--prefix", prefix))
    told, silent = msgspec.json.decode(out)

    assert (told["id"], told["name"], told["slots"], told["running"]) == (worker.id, "w8", 3, [])
    assert (told["pid"], told["health"], told["address"]) == (os.getpid(), "healthy", None)
    assert (silent["id"], silent["name"], silent["pid"]) == (None, "silent", None)
    assert told.keys() == silent.keys()
    shown, _ = await asyncio.to_thread(ended, start("workers", "tasks", "--prefix", prefix))
    rows = [line.split() for line in shown.splitlines()]
    assert (rows[1][:2], rows[1][3], rows[1][-1]) == (["tasks", "w8"], "0/3", "healthy")
    assert (rows[2][:2], rows[2][-1]) == (["tasks", "silent"], "connected")


async def _two_are_connected(queue: Queue) -> bool:
    return await queue.get_workers_count() == 2


def test_events_that_are_kept(run: Run, read: Read, mail: toril.sync.Queue, with_worker: WithWorker) -> None:
    first, second = mail.add("welcome"), mail.add("welcome")
    with_worker(complete_one)
    lines = run("events", "mail", "--json").stdout.splitlines()
    told = [msgspec.json.decode(line) for line in lines]

    assert {event["queue"] for event in told} == {"mail"}
    assert [event["job"] for event in told if event["event"] == "added"] == [first.id, second.id]
    completed = next(event for event in told if event["event"] == "completed")
    assert completed["fields"]["returnvalue"] == '{"sent":1}'
    assert datetime.fromisoformat(completed["at"]).tzinfo is not None

    def only(*words: str) -> list[str]:
        out = run("events", "mail", "--json", *words).stdout
        return [msgspec.json.decode(line)["event"] for line in out.splitlines()]

    assert only("--name", "added") == ["added", "added"]
    assert only("--name", "added", "--job", second.id) == ["added"]
    assert only("--since", completed["id"], "--name", "completed") == []
    assert only("--since", "1h", "--name", "completed") == ["completed"]
    assert only("--since", "2020-01-01", "--name", "completed") == ["completed"]
    assert "returnvalue" in run("events", "mail", "--name", "completed").stdout
