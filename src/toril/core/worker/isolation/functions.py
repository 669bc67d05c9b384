"""Functions on their way to children: by the place where they can be imported."""

from __future__ import annotations

import pickle
import sys
from typing import Any

from toril.core.worker.signature import function_of
from toril.errors import OptionError

_ADVICE = "a process of its own needs a function at the top level of a module that can be imported"


def portable(function: Any, option: str) -> bytes:
    """A function as a child can load it. Partials and methods will do, if what they hold can be pickled.

    Args:
        option: Where the function stands, for the error.

    Raises:
        OptionError: A child can't import it.
    """
    name = getattr(function_of(function), "__qualname__", "")
    if "<lambda>" in name:
        raise OptionError(option, function, f"it is a lambda; {_ADVICE}: give it a name with 'def'")
    if "<locals>" in name:
        outer = name.split(".<locals>")[0]
        advice = "move it out, and bind what it needs with functools.partial"
        raise OptionError(option, function, f"it is made inside of {outer!r}; {_ADVICE}: {advice}")
    try:
        blob = pickle.dumps(function)
    except Exception as error:
        # Pickling calls code of the user's.
        raise OptionError(option, function, f"it can't be pickled ({error}); {_ADVICE}") from error
    if needs_main(blob) and main_of_program() is None:
        text = f"it was typed in, or given by -c, so that no child finds it; {_ADVICE}"
        raise OptionError(option, function, text)
    return blob


def needs_main(blob: bytes) -> bool:
    """Whether a pickle refers to the program's own file."""
    return b"__main__" in blob


def main_of_program() -> tuple[str, str] | None:
    """How to load the program's own file once more: ``("module", name)`` or ``("path", path)``."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return "module", spec.name
    path = getattr(main, "__file__", None)
    return ("path", path) if path is not None else None
