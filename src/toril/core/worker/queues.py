"""The queues of a worker with their weights, and which handler serves which of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from toril.core.worker.handler import Handler
from toril.core.worker.homes import Call
from toril.core.worker.routes import Handlers, QueueRoutes
from toril.errors import OptionError
from toril.model.checks import check_items, check_number
from toril.model.names import check_queue_name

#: Name of a queue; or names of several, each alone or with its weight.
Queues = str | Iterable["str | tuple[str, float]"] | Mapping[str, float]

# Weights beyond this proportion would leave a queue with nothing in a lifetime.
_LEAST_WEIGHT, _MOST_WEIGHT = 0.001, 1_000_000


def read_queues(queue: object) -> dict[str, float]:
    """Names of queues with their weights, in order; a name without a weight has 1.

    Raises:
        OptionError: There is none, one comes twice, is no name, or its weight is no number above 0.
    """
    if isinstance(queue, str):
        return {check_queue_name(queue): 1}
    weights: dict[str, float] = {}
    for item, weight in _pairs(queue):
        name = check_queue_name(item)
        if name in weights:
            raise OptionError("queue", queue, f"names {name!r} twice; give it once, with its weight")
        weights[name] = check_number(weight, f"queue[{name!r}]", _LEAST_WEIGHT, _MOST_WEIGHT)
    if not weights:
        raise OptionError("queue", queue, "must name one queue at least")
    return weights


def _pairs(queue: object) -> list[tuple[object, object]]:
    if isinstance(queue, Mapping):
        return list(cast("Mapping[object, object]", queue).items())
    return [_pair(item, queue) for item in check_items(queue, "queue")]


def _pair(item: object, queue: object) -> tuple[object, object]:
    if isinstance(item, str):
        return item, 1
    if isinstance(item, tuple | list):
        pair = cast("tuple[object, ...] | list[object]", item)
        if len(pair) == 2:
            return pair[0], pair[1]
    raise OptionError("queue", queue, f"{item!r} is no name of a queue, and no name with its weight")


#: Makes handlers ready to be called; the text says where they stand, for errors.
MakeCall = Callable[[Handlers, str], Call]


def call_for(
    queues: Mapping[str, float],
    handler: Handlers | None,
    by_queue: Mapping[str, Handlers] | None,
    make: MakeCall,
) -> Call | None:
    """What runs the jobs of these queues; ``None`` for a worker without a handler.

    Raises:
        OptionError: A handler can't be used, a queue has none or two, or it isn't clear whether a mapping
            goes by queues or by names of jobs.
    """
    if by_queue is not None:
        if handler is not None:
            raise OptionError("by_queue", by_queue, "give either handler, for all queues, or by_queue")
        return QueueRoutes(_by_queue(queues, by_queue, make))
    if len(queues) == 1:
        return None if handler is None else make(handler, "handler")
    if handler is None:
        problem = "a worker of several queues needs one; by hand, a worker processes one queue"
        raise OptionError("handler", handler, problem)
    if isinstance(handler, Mapping):
        handler = cast("Mapping[str, Handler]", handler)
        both = [name for name in handler if name in queues]
        if both:
            problem = f"is {both[0]!r} a queue or a name of jobs? Give by_queue={{queue: handlers}}"
            raise OptionError("handler", handler, problem)
    return make(handler, "handler")


def _by_queue(queues: Mapping[str, float], by_queue: object, make: MakeCall) -> dict[str, Call]:
    if not isinstance(by_queue, Mapping):
        raise OptionError("by_queue", by_queue, "must be a mapping of queues to their handlers")
    given = cast("Mapping[Any, Handlers]", by_queue)
    for name in given:
        if name not in queues:
            raise OptionError.no_such("queue of this worker", name, queues)
    missing = [name for name in queues if name not in given]
    if missing:
        raise OptionError("by_queue", given, f"has no handler for queue {missing[0]!r}")
    return {name: make(given[name], f"by_queue[{name!r}]") for name in queues}
