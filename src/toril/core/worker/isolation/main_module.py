"""The program's own file in a child: loaded once more, but not as what is started."""

from __future__ import annotations

import runpy
import sys
from types import ModuleType

# What multiprocessing calls it, so that whoever asks for that name is right here, too.
_NAME = "__mp_main__"

_loading = False


def load_main(kind: str, place: str) -> None:
    """Run the program's file as ``__mp_main__``, and let that be ``__main__``.

    Args:
        kind: ``module`` or ``path``.
        place: Which one.
    """
    global _loading
    module = ModuleType(_NAME)
    _loading = True
    try:
        names = (
            runpy.run_module(place, run_name=_NAME, alter_sys=True)
            if kind == "module"
            else runpy.run_path(place, run_name=_NAME)
        )
    finally:
        _loading = False
    vars(module).update(names)
    sys.modules["__main__"] = sys.modules[_NAME] = module


def refuse_while_loading() -> None:
    """A worker that starts when its program is merely loaded would start anew in each child.

    Raises:
        RuntimeError: This is a child that loads its program.
    """
    if _loading:
        raise RuntimeError(
            "a child process has loaded this program for its handlers, and that has started a worker; "
            'put what starts it below: if __name__ == "__main__":'
        )
