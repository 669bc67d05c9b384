"""Names of a package that are loaded when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, places: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """What a package calls its ``__getattr__`` and ``__dir__``.

    Args:
        package: Its name.
        places: The module that holds each name; ``module:name`` if it is called otherwise there.
    """

    def load(name: str) -> Any:
        if name not in places:
            problem = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(problem, name=name, obj=sys.modules[package])
        module, _, called = places[name].partition(":")
        thing = getattr(import_module(module), called or name)
        # It is found without us from now on.
        setattr(sys.modules[package], name, thing)
        return thing

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *places})

    return load, names
