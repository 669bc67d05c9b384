"""What programs read: each command has an answer as JSON, and says nothing else."""

from __future__ import annotations

import msgspec

import toril.sync
from tests.cli.conftest import Run
from toril.cli.app import app

# Each command with --json, in an order in which it finds what it needs, and what it answers.
STORY: tuple[tuple[tuple[str, ...], int, type], ...] = (
    (("add", "mail", "welcome", '{"to":"a"}', "--delay", "1h", "--job-id", "a"), 0, dict),
    (("add", "mail", "welcome", "-"), 0, dict),
    (("queues",), 0, list),
    (("jobs", "mail"), 0, list),
    (("job", "a"), 0, dict),
    (("promote", "mail", "a"), 0, dict),
    (("pause", "mail"), 0, list),
    (("resume", "mail"), 0, list),
    (("schedulers",), 0, list),
    (("workers",), 0, list),
    (("doctor",), 1, dict),
    (("top", "--once", "--interval", "0.1"), 0, dict),
    (("cancel", "mail", "a"), 0, dict),
    (("retry", "mail", "--all"), 0, dict),
    (("remove", "mail", "a", "--yes"), 0, dict),
    (("clean", "mail", "--state", "waiting", "--yes"), 0, dict),
    (("server", "status"), 0, dict),
)


def test_each_command_answers_programs(run: Run, mail: toril.sync.Queue) -> None:
    for words, code, kind in STORY:
        done = run(*words, "--json", code=code, typed="[1]")
        assert done.stderr == "", words
        assert isinstance(msgspec.json.decode(done.stdout), kind), words
    lines = run("events", "mail", "--json").stdout.splitlines()
    assert {"added", "removed", "paused"} <= {msgspec.json.decode(line)["event"] for line in lines}
    told = {words[0] for words, _, _ in STORY} | {"events"}
    commands = {command.callback.__name__ for command in app.registered_commands if command.callback}
    # A worker answers nobody: it runs until it is stopped. See test_worker.
    assert commands - told == {"worker"}
