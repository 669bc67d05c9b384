"""The states of jobs, as callers name them."""

from __future__ import annotations

from collections.abc import Iterable

from toril.errors import OptionError
from toril.model.checks import check_items

#: The states a job can be in, in the order in which counts are given.
STATES = ("active", "completed", "delayed", "failed", "prioritized", "waiting", "waiting-children")

#: Those of jobs that are done with.
FINISHED = ("completed", "failed")

# Other names that BullMQ takes where it counts: that of the key, the waiting list of a paused queue of
# version 5, and job schedulers.
_MORE = ("wait", "paused", "repeat")

# In the order of a job's life, so that who looks at one after the other meets a job that goes on meanwhile.
_LIFE = (
    *("repeat", "waiting-children", "delayed", "prioritized", "waiting", "wait", "paused"),
    *("active", "completed", "failed"),
)


def check_states(states: str | Iterable[str]) -> tuple[str, ...]:
    """Names of states, each once, in the order in which they are given.

    Raises:
        OptionError: There is no such state.
    """
    wanted = [states] if isinstance(states, str) else check_items(states, "states")
    checked: dict[str, None] = {}
    for state in wanted:
        if not isinstance(state, str) or (state not in STATES and state not in _MORE):
            raise OptionError.no_such("state", state, STATES)
        checked[state] = None
    return tuple(checked)


def check_finished(state: object, option: str = "state") -> None:
    """A state that a finished job can be in.

    Raises:
        OptionError: It is another.
    """
    if state not in FINISHED:
        raise OptionError(option, state, "must be 'completed' or 'failed'")


def by_life(states: Iterable[str]) -> list[str]:
    """States in the order in which a job comes through them."""
    return sorted(states, key=_LIFE.index)
