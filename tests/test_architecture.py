"""The limits of the house: no list of exceptions, a file that breaks one is two files."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("src", "tests", "examples", "benchmarks")
LUA = ROOT / "src" / "toril" / "store" / "redis" / "lua"

MOST_LINES = 400
MOST_FUNCTION_LINES = 50
BUCKETS = {"base", "common", "helpers", "misc", "shared", "types", "utils"}

# Each word is written in two halves, so that this file passes its own test.
UNFINISHED = re.compile(r"\b(TO" "DO|FIX" "ME|XX" r"X|HA" r"CK)\b|raise NotImpl" "emented")
SILENCED = re.compile("no" r"qa\b|type: ?ig" "nore|pyright: ?ig" "nore|pragma: no co" "ver")
PLACES = re.compile(r"(?<![\w.])/(?:work|root|home)/|\b(?:pypi|npmjs|pythonho" r"sted)\.(?:o" r"rg|com)\b")

INCLUDE = re.compile(r'^\s*--- @include "([^"]+)"$', re.MULTILINE)

Function = ast.FunctionDef | ast.AsyncFunctionDef
# Where statements have statements.
_PARTS = ("body", "orelse", "finalbody", "handlers", "cases")


def files_below(*folders: str, endings: tuple[str, ...]) -> Iterator[Path]:
    """Our own files, in a fixed order."""
    for folder in folders:
        yield from (path for path in all_below(folder) if path.suffix in endings)


@cache
def all_below(folder: str) -> list[Path]:
    """All files but those of others' packages, whose folders are not even entered: they are very many."""
    found: list[Path] = []
    for place, folders, names in os.walk(ROOT / folder):
        folders[:] = [name for name in folders if name != "node_modules"]
        found.extend(Path(place, name) for name in names)
    return sorted(found)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions_of(path: Path) -> Iterator[Function]:
    left: list[ast.AST] = [ast.parse(path.read_text())]
    while left:
        node = left.pop()
        if isinstance(node, Function):
            yield node
        # Functions are found among statements only; most of a tree is expressions.
        left.extend(below for part in _PARTS for below in getattr(node, part, ()))


def length_of(function: Function) -> int:
    """Lines from `def` to the end, the docstring left out."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def lines_that_match(pattern: re.Pattern[str], paths: Iterator[Path]) -> list[str]:
    return [
        f"{named(path)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_is_too_long() -> None:
    lengths = {
        named(path): len(path.read_text().splitlines())
        for path in files_below(*SOURCES, endings=(".py", ".lua", ".js", ".mjs"))
    }

    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_function_is_too_long() -> None:
    lengths = {
        f"{named(path)}:{function.lineno} {function.name}": length_of(function)
        for path in files_below(*SOURCES, endings=(".py",))
        for function in functions_of(path)
    }

    assert {name: lines for name, lines in lengths.items() if lines > MOST_FUNCTION_LINES} == {}


def test_no_module_is_a_bucket() -> None:
    buckets = [
        named(path)
        for path in files_below(*SOURCES, endings=(".py", ".lua"))
        if BUCKETS & {path.stem.strip("_"), path.parent.name}
    ]

    assert buckets == []


def test_nothing_is_unfinished() -> None:
    assert lines_that_match(UNFINISHED, files_below(*SOURCES, endings=(".py", ".lua"))) == []


def test_no_check_is_silenced() -> None:
    assert lines_that_match(SILENCED, files_below(*SOURCES, endings=(".py", ".lua"))) == []


def test_no_file_names_a_place_on_one_machine_or_a_registry() -> None:
    endings = (".in", ".json", ".lock", ".lua", ".md", ".py")
    ours = files_below(*SOURCES, "docs", "requirements", endings=endings)
    top = (path for path in sorted(ROOT.iterdir()) if path.suffix in (".md", ".toml", ".yml"))

    assert lines_that_match(PLACES, ours) + lines_that_match(PLACES, top) == []


def test_each_part_that_a_script_includes_exists() -> None:
    missing = [
        f"{named(path)}: {part}"
        for path in files_below(named(LUA), endings=(".lua",))
        for part in INCLUDE.findall(path.read_text())
        if not (LUA / "lib" / f"{part}.lua").is_file()
    ]

    assert missing == []


def test_each_part_is_included_by_a_script() -> None:
    included = {part for path in LUA.rglob("*.lua") for part in INCLUDE.findall(path.read_text())}

    assert {path.stem for path in (LUA / "lib").glob("*.lua")} - included == set()


def test_each_package_is_marked_as_one() -> None:
    folders = {path.parent for path in files_below(*SOURCES, endings=(".py",))}

    assert [named(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []
