"""Commands that change something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import toril.sync
from tests.cli.conftest import Read, Run, complete_one, fail_one, names, take
from tests.support.database import Database
from toril import Worker

WithWorker = Callable[..., Any]


def test_a_job_is_added_with_its_options(run: Run, read: Read, mail: toril.sync.Queue) -> None:
    added = read(
        *("add", "mail", "welcome", '{"to": "a"}', "--delay", "10m", "--attempts", "3", "--priority", "5"),
        *("--backoff", "exponential:2s", "--job-id", "w-1", "-o", "remove-on-complete=true"),
    )

    assert (added["id"], added["state"], added["created"]) == ("w-1", "delayed", True)
    job = mail.get_job("w-1")
    assert job is not None
    assert (job.name, job.data, job.priority, job.delay) == ("welcome", {"to": "a"}, 5, 600)
    assert (job.attempts, job.opts["backoff"]) == (3, {"type": "exponential", "delay": 2000})
    assert job.opts["removeOnComplete"] is True
    id = run("add", "mail", "plain").stdout.strip()
    plain = mail.get_job(id)
    assert plain is not None
    assert (plain.data, plain.is_waiting()) == ({}, True)


@pytest.mark.parametrize(
    ("backoff", "stored"),
    [
        ("5", {"type": "fixed", "delay": 5000}),
        ("fixed:500ms", {"type": "fixed", "delay": 500}),
        ("mine", {"type": "mine"}),
    ],
)
def test_ways_to_write_a_backoff(run: Run, mail: toril.sync.Queue, backoff: str, stored: Any) -> None:
    run("add", "mail", "n", "--backoff", backoff)
    [job] = mail.get_jobs("waiting")

    assert job.opts["backoff"] == stored


def test_payloads_from_a_file_and_from_what_comes_in(
    run: Run, mail: toril.sync.Queue, tmp_path: Path
) -> None:
    path = tmp_path / "payload.json"
    path.write_text('[1, "two"]')
    run("add", "mail", "n", f"@{path}", "--job-id", "file")
    run("add", "mail", "n", "-", "--job-id", "stdin", typed='{"in": 1}')
    run("add", "mail", "n", "--at", "2100-01-01T00:00Z", "--lifo", "--job-id", "later")

    payloads = {job.id: job.data for job in mail.get_jobs("waiting")}
    assert payloads == {"file": [1, "two"], "stdin": {"in": 1}}
    later = mail.get_job("later")
    assert later is not None
    assert later.is_delayed()


def test_a_new_queue_is_told_of(run: Run, mail: toril.sync.Queue) -> None:
    assert "queue 'fresh' is new" in run("add", "fresh", "n").stderr
    assert run("add", "fresh", "n").stderr == ""


def test_a_job_that_was_there_before_is_no_success(run: Run, read: Read, mail: toril.sync.Queue) -> None:
    run("add", "mail", "n", "1", "--job-id", "j")
    result = run("add", "mail", "n", "2", "--job-id", "j", code=1)

    assert result.stdout == "j\n"
    assert "was there before" in result.stderr
    assert read("add", "mail", "n", "2", "--job-id", "j", code=1)["created"] is False
    assert names(read("jobs", "mail"), "data") == [1]


def test_failed_jobs_are_retried_one_by_one_and_all(
    run: Run, read: Read, mail: toril.sync.Queue, with_worker: WithWorker
) -> None:
    jobs = [mail.add("n") for _ in range(3)]

    async def fail_all(worker: Worker) -> None:
        for _ in jobs:
            await fail_one(worker)

    with_worker(fail_all)

    assert read("retry", "mail", jobs[1].id) == {"queue": "mail", "retried": 1}
    assert mail.get_job_counts("failed", "waiting") == {"failed": 2, "waiting": 1}
    assert run("retry", "mail", "--all").stdout == "2 retried\n"
    assert mail.get_job_counts("failed", "waiting") == {"failed": 0, "waiting": 3}
    assert "not in the state" in run("retry", "mail", jobs[0].id, code=1).stderr


def test_completed_jobs_can_be_run_again(run: Run, mail: toril.sync.Queue, with_worker: WithWorker) -> None:
    job = mail.add("n")
    with_worker(complete_one)

    run("retry", "mail", job.id, "--state", "completed")
    assert mail.get_job_state(job.id) == "waiting"


def test_delayed_jobs_are_promoted(run: Run, read: Read, mail: toril.sync.Queue) -> None:
    jobs = [mail.add("n", delay=60) for _ in range(3)]

    assert read("promote", "mail", jobs[0].id) == {"queue": "mail", "promoted": 1}
    assert mail.get_job_counts("delayed", "waiting") == {"delayed": 2, "waiting": 1}
    assert run("promote", "mail", "--all").stdout == "2 promoted\n"
    assert mail.get_job_counts("delayed", "waiting") == {"delayed": 0, "waiting": 3}
    run("promote", "mail", jobs[0].id, code=1)


def test_jobs_are_cancelled_in_whatever_state(
    run: Run, read: Read, mail: toril.sync.Queue, with_worker: WithWorker
) -> None:
    taken = mail.add("n")
    with_worker(take)
    waiting, delayed = mail.add("n"), mail.add("n", delay=60)

    assert run("cancel", "mail", waiting.id).stdout == "2 cancelled: the job was waiting and has failed now\n"
    assert read("cancel", "mail", waiting.id, taken.id, delayed.id) == {
        "queue": "mail",
        "jobs": [
            {"id": waiting.id, "answer": "finished"},
            {"id": taken.id, "answer": "unreachable"},
            {"id": delayed.id, "answer": "cancelled"},
        ],
    }
    assert mail.get_job_counts("failed", "active") == {"failed": 2, "active": 1}


def test_a_job_that_is_named_twice_is_cancelled_once(read: Read, mail: toril.sync.Queue) -> None:
    job = mail.add("n", remove_on_fail=True)

    assert read("cancel", "mail", job.id, job.id)["jobs"] == [{"id": job.id, "answer": "cancelled"}]


def test_children_of_a_cancelled_job_can_be_left_alone(run: Run, mail: toril.sync.Queue) -> None:
    for _ in range(2):
        parent = mail.add("parent")
        mail.add("child", parent=parent, delay=60)
    run("cancel", "mail", "1", "--keep-children")
    run("cancel", "mail", "3")

    assert [mail.get_job_state(id) for id in ("1", "2", "3", "4")] == [
        "failed",
        "delayed",
        "failed",
        "failed",
    ]


def test_jobs_are_removed_after_asking(run: Run, read: Read, mail: toril.sync.Queue) -> None:
    first, second = mail.add("n"), mail.add("n")

    assert "nothing was done" in run("remove", "mail", first.id, typed="n\n", code=1).stderr
    assert "--yes" in run("remove", "mail", first.id, code=1).stderr
    assert mail.get_job(first.id) is not None
    assert run("remove", "mail", first.id, typed="y\n").stdout == "1 removed\n"
    assert read("remove", "mail", second.id, "--yes") == {"queue": "mail", "removed": [second.id]}
    assert mail.count() == 0


def test_a_running_job_is_not_removed(run: Run, mail: toril.sync.Queue, with_worker: WithWorker) -> None:
    job = mail.add("n")
    with_worker(take)

    assert "is running" in run("remove", "mail", job.id, "--yes", code=1).stderr
    assert mail.get_job(job.id) is not None


def test_nothing_is_removed_when_one_of_the_jobs_is_not_there(run: Run, mail: toril.sync.Queue) -> None:
    job = mail.add("n")

    assert "no job 'nobody'" in run("remove", "mail", job.id, "nobody", "--yes", code=4).stderr
    assert mail.get_job(job.id) is not None


def test_old_jobs_are_cleaned(run: Run, read: Read, mail: toril.sync.Queue, with_worker: WithWorker) -> None:
    jobs = [mail.add("n") for _ in range(2)]
    with_worker(complete_one)

    assert run("clean", "mail", "--older-than", "1h", "--yes").stdout == "0 removed\n"
    assert "older than 60m" in run("clean", "mail", "--older-than", "1h", typed="n\n", code=1).stderr
    cleaned = read("clean", "mail", "--yes")
    assert cleaned == {"queue": "mail", "state": "completed", "removed": [jobs[0].id]}
    assert read("clean", "mail", "--state", "waiting", "--yes")["removed"] == [jobs[1].id]


def test_queues_are_paused_and_resumed(run: Run, read: Read, mail: toril.sync.Queue) -> None:
    mail.add("n")

    assert read("pause", "mail") == [{"queue": "mail", "paused": True}]
    assert mail.is_paused()
    assert run("resume", "mail").stdout == "mail resumed\n"
    assert not mail.is_paused()
    assert run("pause", "mail", "nobody", code=4).stdout == ""
    assert not mail.is_paused()


def test_looking_at_a_queue_does_not_make_it(
    run: Run, read: Read, mail: toril.sync.Queue, database: Database, prefix: str
) -> None:
    for command in ("jobs", "events", "workers", "schedulers", "pause"):
        run(command, "nobody", code=4)

    assert database.command("KEYS", f"{prefix}:nobody*") == []
    assert names(read("queues"), "name") == ["mail"]
