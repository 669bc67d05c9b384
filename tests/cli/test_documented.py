"""What the command line can do is in its reference, all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from tests.cli.conftest import Read
from toril.cli import shapes
from toril.cli.app import app
from toril.cli.failures import Code
from toril.doctor import checks

ROOT = Path(__file__).resolve().parent.parent.parent
REFERENCE = (ROOT / "docs" / "reference" / "command-line.md").read_text()
ROWS = {
    words: row
    for row in REFERENCE.splitlines()
    if (words := " ".join(re.findall(r"^\| `toril ([^`]*)`", row)))
}


def commands(group: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Each command with its whole name."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*above, name))
        else:
            yield " ".join((*above, name)), command


COMMANDS = dict(commands(get_command(app)))


def row_of(name: str) -> str:
    [row] = [row for words, row in ROWS.items() if f"{words} ".startswith(f"{name} ")]
    return row


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_documented_with_its_options(name: str) -> None:
    options = {option for one in COMMANDS[name].params for option in one.opts if option.startswith("--")}
    own = options - {"--url", "--prefix", "--json", "--help"}
    row = row_of(name)

    assert [option for option in sorted(own) if f"`{option}" not in row] == []


def test_nothing_else_is_documented() -> None:
    words = {re.split(r" (?=[A-Z\[])", words)[0] for words in ROWS}

    assert words == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_what_it_does_and_takes_what_all_do(name: str) -> None:
    command = COMMANDS[name]
    options = {option for one in command.params for option in one.opts}

    assert command.help
    assert {"--url", "--prefix", "--json"} <= options


def test_each_exit_code_is_documented() -> None:
    table = REFERENCE.partition("## Exit codes")[2].partition("## Commands")[0]

    assert [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == list(Code)


def test_each_kind_of_finding_is_documented() -> None:
    source = Path(checks.__file__).read_text()
    kinds = set(re.findall(r'kind="([\w-]+)"', source))

    assert kinds
    assert kinds == set(re.findall(r"`([\w-]+)`", REFERENCE.rpartition("Kinds of findings are")[2]))


def test_each_key_of_a_shape_is_documented() -> None:
    source = Path(shapes.__file__).read_text()
    keys = set(re.findall(r'^        "(\w+)": ', source, re.MULTILINE))

    assert keys
    assert [key for key in sorted(keys) if f"`{key}`" not in REFERENCE] == []


def test_what_is_documented_of_a_document_is_what_is_printed(read: Read, mail: Any) -> None:
    def documented(command: str) -> set[str]:
        [row] = [
            row for row in REFERENCE.splitlines() if row.startswith(f"| `{command}`") and "list of" in row
        ]
        return set(re.findall(r"`(\w+)`", row.partition("|")[2].partition("|")[2]))

    mail.add("n")
    [queue] = read("queues")
    assert set(queue) == documented("queues")
    doctor = read("doctor", code=1)
    assert {*doctor, *doctor["server"], *doctor["findings"][0]} == documented("doctor")
    top = read("top", "--once", "--interval", "0.1")
    assert {*top, *top["queues"][0], *top["queues"][0]["rates"]} <= documented("top")
