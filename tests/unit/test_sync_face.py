"""The blocking classes have the verbs of the async ones, with the same parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import toril
import toril.sync


def verbs(cls: type) -> dict[str, Callable[..., Any]]:
    found = inspect.getmembers(cls, inspect.isfunction)
    return {name: function for name, function in found if not name.startswith("_")}


def parameters(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    given = inspect.signature(function).parameters.values()
    return [(one.name, one.kind, one.default) for one in given]


@pytest.mark.parametrize(
    ("blocking", "waiting"),
    [
        (toril.sync.Queue, toril.Queue),
        (toril.sync.Job, toril.Job),
        (toril.sync.FlowProducer, toril.FlowProducer),
        (toril.sync.QueueEvents, toril.QueueEvents),
    ],
    ids=["queue", "job", "flow producer", "events"],
)
def test_each_verb_has_a_twin(blocking: type, waiting: type) -> None:
    twins, originals = verbs(blocking), verbs(waiting)

    assert set(originals) - set(twins) - {"take_fields"} == set()
    differing = [name for name in originals if parameters(originals[name]) != parameters(twins[name])]
    assert differing == []


@pytest.mark.parametrize("name", ["Queue", "FlowProducer", "QueueEvents"])
def test_each_twin_is_made_alike(name: str) -> None:
    blocking, waiting = getattr(toril.sync, name).__init__, getattr(toril, name).__init__

    # A store is of one event loop.
    assert parameters(blocking) == [one for one in parameters(waiting) if one[0] != "store"]
