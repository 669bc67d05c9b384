"""Ways to run commands on the server of the tests."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest
from typer.testing import CliRunner, Result

import toril.sync
from tests.cli.service import SHOP, Service
from tests.support.database import Database
from toril import Job, Worker
from toril.cli.app import app

ROOT = Path(__file__).resolve().parent.parent.parent

# Seconds for a command to end.
PATIENCE = 30


class Run(Protocol):
    """Runs a command in this process."""

    def __call__(self, *words: str, code: int = ..., typed: str | None = ...) -> Result: ...


class Read(Protocol):
    """Runs a command with ``--json`` in this process, and reads what it prints."""

    def __call__(self, *words: str, code: int = ...) -> Any: ...


@pytest.fixture
def run(url: str, prefix: str) -> Run:
    def invoke(*words: str, code: int = 0, typed: str | None = None) -> Result:
        result = CliRunner().invoke(app, ["--url", url, "--prefix", prefix, *words], input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.stdout + result.stderr
        return result

    return invoke


@pytest.fixture
def read(run: Run) -> Read:
    def invoke(*words: str, code: int = 0) -> Any:
        return msgspec.json.decode(run(*words, "--json", code=code).stdout)

    return invoke


@pytest.fixture
def empty(database: Database) -> Iterator[None]:
    """There are no queues."""
    database.empty()
    yield
    database.empty()


@pytest.fixture
def mail(url: str, prefix: str, empty: None) -> Iterator[toril.sync.Queue]:
    """The one queue there is."""
    with toril.sync.Queue("mail", url=url, prefix=prefix) as queue:
        yield queue


@pytest.fixture
def with_worker(url: str, prefix: str) -> Callable[[Callable[[Worker], Coroutine[Any, Any, Any]]], Any]:
    """Calls an async function with a worker that takes jobs one by one."""

    def call(function: Callable[[Worker], Coroutine[Any, Any, Any]], queue: str = "mail") -> Any:
        async def work() -> Any:
            async with Worker(queue, url=url, prefix=prefix, name="w1") as worker:
                return await function(worker)

        return asyncio.run(work())

    return call


async def take(worker: Worker) -> Job:
    """The next job, active from now on."""
    job = await worker.get_next_job(block=False)
    assert job is not None
    return job


async def complete_one(worker: Worker) -> None:
    await worker.complete(await take(worker), {"sent": 1})


async def fail_one(worker: Worker) -> None:
    await worker.fail(await take(worker), ValueError("no such address"))


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console script as installers make it from ``pyproject.toml``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, function = project["scripts"]["toril"].partition(":")
    path = tmp_path_factory.mktemp("bin") / "toril"
    path.write_text(
        f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"
    )
    path.chmod(0o755)
    return path


class Start(Protocol):
    """Starts the console script."""

    def __call__(
        self, *words: str, env: Mapping[str, str] | None = ..., cwd: Path | None = ..., stdin: int = ...
    ) -> subprocess.Popen[str]: ...


@pytest.fixture
def start(script: Path, url: str, prefix: str) -> Iterator[Start]:
    """Starts the console script on the server of the tests; what still runs is killed after the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(
        *words: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [str(script), *words],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env={**os.environ, "TORIL_URL": url, **(env or {})},
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate(timeout=PATIENCE)


def ended(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    """What a process printed until its end, on both ways."""
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, out + err
    return out, err


def names(rows: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    return [row[key] for row in rows]


class Serve(Protocol):
    """Starts ``toril worker``."""

    def __call__(self, *words: str) -> Service: ...


@pytest.fixture
def serve(tmp_path: Path, url: str, prefix: str) -> Iterator[Serve]:
    """Starts ``toril worker`` in a folder that has the module ``shop``; what still runs is killed."""
    (tmp_path / "shop.py").write_text(SHOP)
    with ExitStack() as stack:

        def begin(*words: str) -> Service:
            env = {"TORIL_URL": url, "PREFIX": prefix}
            return stack.enter_context(Service(tmp_path, *words, env=env))

        yield begin
