"""The documentation names nothing that is not there."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import toril
import toril.sync

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TEXT_BLOCK = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#[^)]*)?\)")


def blocks() -> Iterator[tuple[str, ast.Module]]:
    """Each Python block, with the page it is on; a fragment may await at its top level."""
    for page in PAGES:
        for number, text in enumerate(PYTHON_BLOCK.findall(page.read_text()), 1):
            place = f"{page.relative_to(ROOT)}, block {number}"
            flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            module = compile(text, place, "exec", flags, dont_inherit=True)
            assert isinstance(module, ast.Module)
            yield place, module


def imports_of(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Module and name, for each import from toril."""
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "toril":
            for alias in node.names:
                yield node.module or "", alias.name


def test_all_python_on_the_pages_is_python_and_imports_what_exists() -> None:
    imported = [(place, *pair) for place, module in blocks() for pair in imports_of(module)]

    assert imported
    assert [each for each in imported if not hasattr(importlib.import_module(each[1]), each[2])] == []


def test_every_link_leads_somewhere() -> None:
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in LINK.findall(page.read_text())
        if target and not (page.parent / target).exists()
    ]

    assert dead == []


def test_every_page_can_be_found_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]

    assert pages
    assert [page for page in pages if f": {page}\n" not in navigation] == []


def test_how_to_pages_have_the_same_order_and_titles_everywhere() -> None:
    navigation = re.findall(r"- (.+): how-to/(.+)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    table = re.findall(
        r"\| \[(.+)\]\(how-to/(.+)\) \|$", (ROOT / "docs" / "index.md").read_text(), re.MULTILINE
    )
    listed = re.findall(r"\[([^]]+)\]\(docs/how-to/([^)]+)\)", (ROOT / "README.md").read_text())

    assert len(navigation) == len(list((ROOT / "docs" / "how-to").glob("*.md")))
    assert table == navigation
    assert listed == navigation


def test_what_comes_next_is_told_the_same_everywhere() -> None:
    pages = (ROOT / "README.md", ROOT / "docs" / "migrating" / "from-bullmq.md")
    told = [
        re.findall(r"^What comes next: (.+?)\n\n", page.read_text(), re.MULTILINE | re.DOTALL)
        for page in pages
    ]

    assert len(told[0]) == 1
    assert told[0] == told[1]


def test_the_architecture_names_files_that_are_there() -> None:
    package = ROOT / "src" / "toril"
    homes = {"lua": package / "store" / "redis", "lib": package / "store" / "redis" / "lua"}
    text = (ROOT / "docs" / "concepts" / "architecture.md").read_text()
    named = re.findall(r"`(\w+)(/[\w/]+\.(?:py|lua))`", text)

    assert named
    assert [top + rest for top, rest in named if not (homes.get(top, package) / (top + rest)).exists()] == []


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = [page.name[:4] for page in sorted((ROOT / "docs" / "decisions").glob("*.md"))]

    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


def test_every_public_name_is_in_the_documentation() -> None:
    words = {word for page in (ROOT / "docs").rglob("*.md") for word in re.findall(r"\w+", page.read_text())}

    assert toril.__all__
    assert [name for name in (*toril.__all__, *toril.sync.__all__) if name not in words] == []


def test_every_option_is_in_the_reference() -> None:
    kinds = (toril.AddOptions, toril.ScheduleOptions, toril.WorkerOptions)
    reference = (ROOT / "docs" / "reference" / "options.md").read_text()
    rows = [line for line in reference.splitlines() if line.startswith("|")]
    named = {name for line in rows for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    flags = set(re.findall(r"`(\w+_on_failure)`", reference))

    assert [name for kind in kinds for name in kind.__annotations__ if name not in named | flags] == []


def test_the_reference_has_every_exception_where_it_belongs() -> None:
    reference = (ROOT / "docs" / "reference" / "options.md").read_text()
    listed = dict(exceptions_in(reference))
    exceptions = [
        each for each in vars(toril).values() if isinstance(each, type) and issubclass(each, Exception)
    ]

    assert listed == {each.__name__: each.__bases__[0].__name__ for each in exceptions}


def exceptions_in(text: str) -> Iterator[tuple[str, str]]:
    """Each exception of the trees drawn on a page, with the one above it."""
    above: list[str] = []
    for indent, name in re.findall(
        r"^([ │├└─]*)([A-Z]\w+)(?: |$)", "\n".join(TEXT_BLOCK.findall(text)), re.MULTILINE
    ):
        depth = len(indent) // 4
        yield name, above[depth - 1] if depth else "Exception"
        above[depth:] = [name]
