"""How children are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from toril.errors import OptionError
from toril.model.checks import check_int, check_runs

#: A function that children call, plain or ``async``, without arguments.
ChildHook = Callable[[], Any]

#: Seconds to heed ``SIGTERM``, before ``SIGKILL``.
LAST_CHANCE = 1.0


@dataclass(slots=True, kw_only=True)
class ChildOptions:
    """How children are kept.

    Attributes:
        grace: Seconds that a handler has to end when it is told to.
        max_jobs: A child that ran so many jobs is replaced.
        max_memory: A child whose memory is more than so many bytes after a job is replaced.
        on_start: Called by each child before its first job.
        on_stop: Called by each child that leaves in order.
    """

    grace: float = 5.0
    max_jobs: int | None = None
    max_memory: int | None = None
    on_start: ChildHook | None = None
    on_stop: ChildHook | None = None

    @property
    def longest_end(self) -> float:
        """Seconds after which a child whose job was cancelled is idle or gone."""
        return self.grace + 2 * LAST_CHANCE


def _bound(attribute: str) -> Callable[[ChildOptions, str, Any], None]:
    return lambda options, option, value: setattr(options, attribute, check_int(value, option, 1))


def _hook(attribute: str) -> Callable[[ChildOptions, str, Any], None]:
    def read(options: ChildOptions, option: str, value: Any) -> None:
        if not callable(value):
            raise OptionError(option, value, "must be a function without arguments")
        check_runs(value, option)
        setattr(options, attribute, value)

    return read


CHILD_READERS: dict[str, Callable[[ChildOptions, str, Any], None]] = {
    "max_jobs_per_child": _bound("max_jobs"),
    "max_memory_per_child": _bound("max_memory"),
    "on_child_start": _hook("on_start"),
    "on_child_stop": _hook("on_stop"),
}


def refuse_idle(given: Mapping[str, Any]) -> None:
    """Who asks for something of children, and has none, has forgotten something.

    Args:
        given: The options of a worker without children.

    Raises:
        OptionError: One of them is about children.
    """
    for option in CHILD_READERS:
        if given.get(option) is not None:
            text = "no handler runs in a child process; say isolation='process', for some jobs at least"
            raise OptionError(option, given[option], text)
