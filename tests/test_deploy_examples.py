"""The templates for deployments: their syntax, and that what they run is what ``toril`` takes."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from typer.main import get_command

from toril.cli.app import app

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "deploy"


def text_of(name: str) -> str:
    return (FOLDER / name).read_text()


def manifest() -> Any:
    return yaml.safe_load(text_of("kubernetes.yaml"))


def container() -> dict[str, Any]:
    [found] = manifest()["spec"]["template"]["spec"]["containers"]
    return found


def instruction(name: str) -> str:
    """An instruction of the Dockerfile, the lines of which are joined."""
    joined = text_of("Dockerfile").replace("\\\n", " ")
    [found] = re.findall(rf"^{name} +(.+)$", joined, re.MULTILINE)
    return found


def commands() -> dict[str, list[str]]:
    """What each of the templates runs."""
    [service] = re.findall(r"^ExecStart=/usr/bin/env (.+)$", text_of("toril-worker.service"), re.MULTILINE)
    return {
        "systemd": shlex.split(service),
        "Procfile": shlex.split(text_of("Procfile").partition(": ")[2]),
        "Dockerfile": msgspec.json.decode(instruction("CMD")),
    }


def read_options(words: list[str]) -> dict[str, Any]:
    """The options of a command, as ``toril`` reads them."""
    assert words[:2] == ["toril", "worker"]
    group: Any = get_command(app)
    return group.commands["worker"].make_context("worker", words[2:]).params


@pytest.mark.parametrize("name", ["systemd", "Procfile", "Dockerfile"])
def test_what_is_run_is_read_by_toril(name: str) -> None:
    options = read_options(commands()[name])

    assert options["target"] == "tasks:workers"
    assert options["grace"] == "25"


def test_the_command_of_the_procfile_runs(url: str) -> None:
    words = commands()["Procfile"]
    done = subprocess.run(
        [sys.executable, "-m", "toril.cli", *words[1:], "--burst"],
        cwd=FOLDER,
        env={**os.environ, "TORIL_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "queue      mail, concurrency 50" in done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_takes_the_unit() -> None:
    unit = FOLDER / "toril-worker.service"
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]) == (0, [])


def test_the_manifest_fits_itself_and_its_command() -> None:
    found, one = manifest(), container()
    pod = found["spec"]["template"]
    options = read_options(one["args"])
    [port] = one["ports"]

    assert (found["apiVersion"], found["kind"]) == ("apps/v1", "Deployment")
    assert found["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert options["health_port"] == f"0.0.0.0:{port['containerPort']}"
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(port["containerPort"])
    assert pod["spec"]["terminationGracePeriodSeconds"] > float(options["grace"])
    paths = {kind: one[kind]["httpGet"] for kind in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert {get["port"] for get in paths.values()} == {port["name"]}
    assert [get["path"] for get in paths.values()] == ["/ready", "/ready", "/live"]


def test_times_and_ports_of_the_others_fit_their_commands() -> None:
    unit = text_of("toril-worker.service")
    [stop] = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    options = read_options(commands()["Dockerfile"])

    assert float(stop) > 25
    assert options["health_port"] == f"0.0.0.0:{instruction('EXPOSE')}"
    assert instruction("EXPOSE") in instruction("HEALTHCHECK")


def test_the_workers_are_there() -> None:
    sys.path.insert(0, str(FOLDER))
    try:
        workers = import_module("tasks").workers
    finally:
        sys.path.remove(str(FOLDER))

    assert [worker.queue_name for worker in workers] == ["mail", "images"]
