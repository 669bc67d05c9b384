"""What a handler wants to be called with: the job, its payload as a type of the user's, or both."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from inspect import Parameter
from typing import Any, Literal, Union, cast

from toril.errors import OptionError
from toril.model.checks import check_runs
from toril.model.job import JobRecord

Place = Literal["job", "payload"]

#: What a handler can be given beside its job and its payload.
INJECTED = "what can be injected is Annotated[T, Depends(make)], JobLogger and CancelToken"

_SHAPES = (
    f"a handler takes (job), (order: Order), (job: Job, order: Order) or (order: Order, job: Job); {INJECTED}"
)
_ONLY_ONE: dict[Place, str] = {
    "payload": "payloads, of which a job has one",
    "job": "the job; annotate one with a payload's type",
}
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
# Annotations that mean the job even where its class is imported for type checkers only.
_JOB_TEXTS = ("Job", "toril.Job", "BlockingJob", "toril.BlockingJob", "JobRecord")
# What goes wrong when the text of an annotation is evaluated.
_UNRESOLVED = (NameError, AttributeError, SyntaxError, TypeError, ValueError, LookupError)


@dataclass(frozen=True, slots=True)
class Wants:
    """What a handler is called with.

    Attributes:
        places: Its arguments, in their order.
        payload: The type that the payload shall have, if it is one of them.
        parameter: The name of the parameter that it goes to.
        names: The names by which they are given, empty for those that are not; none if no one is.
    """

    places: tuple[Place, ...] = ("job",)
    payload: Any = None
    parameter: str = field(default="", compare=False)
    names: tuple[str, ...] = ()


class Unfit(Exception):
    """A parameter can't be given anything; the text says why."""


def wants_of(handler: object, option: str = "handler", injected: Collection[str] = ()) -> Wants:
    """Read the signature of a handler. Parameters that have a default are its own affair.

    Args:
        option: Where the handler stands, for the error.
        injected: Parameters that are given something else, by their names.

    Raises:
        OptionError: It can't be called with a job, a payload or both.
    """
    function = check_callable(handler, option)
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        # Some built-in functions don't tell what they take.
        return Wants()
    try:
        filled = _filled([each for each in parameters if each.name not in injected])
        if not filled and not injected:
            raise Unfit(f"it takes no argument; {_SHAPES}")
        hints = [hint_of(handler, parameter) for parameter in filled]
        places: list[Place] = ["job" if is_job(hint) else "payload" for hint in hints]
        _check_once(filled, places)
    except Unfit as unfit:
        raise OptionError(option, handler, str(unfit)) from None
    names = _names(filled) if injected else ()
    if "payload" not in places:
        return Wants(tuple(places), names=names)
    at = places.index("payload")
    return Wants(tuple(places), hints[at], filled[at].name, names)


def check_callable(handler: object, option: str) -> Callable[..., Any]:
    """Refuse what is no function at all, or one that does nothing when it is called.

    Raises:
        OptionError: It can't be called, or is a generator function.
    """
    if not callable(handler):
        raise OptionError(option, handler, f"can't be called; {_SHAPES}")
    check_runs(handler, option)
    return handler


def function_of(handler: object) -> object:
    """The function below partials, methods, objects that can be called, and decorators."""
    while True:
        if isinstance(handler, partial):
            handler = cast("partial[Any]", handler).func
        elif isinstance(handler, types.MethodType):
            handler = handler.__func__
        elif "__wrapped__" in getattr(handler, "__dict__", {}):
            handler = inspect.unwrap(cast("Callable[..., Any]", handler))
        elif isinstance(handler, type):
            return handler.__init__
        elif inspect.isroutine(handler):
            return handler
        else:
            handler = type(handler).__call__


def _filled(parameters: list[Parameter]) -> list[Parameter]:
    """The parameters that the job and the payload go to."""
    positional = [each for each in parameters if each.kind in _POSITIONAL]
    needed = [each for each in parameters if each.default is Parameter.empty]
    named = [as_written(each) for each in needed if each.kind is Parameter.KEYWORD_ONLY]
    if named:
        raise Unfit(f"{named[0]!r} has no default and can only be given by name; {_SHAPES}")
    filled = [each for each in positional if each in needed] or positional[:1]
    if not filled and any(each.kind is Parameter.VAR_POSITIONAL for each in parameters):
        return [Parameter("job", Parameter.POSITIONAL_ONLY)]
    return filled


def _check_once(filled: list[Parameter], places: list[Place]) -> None:
    for place, what in _ONLY_ONE.items():
        same = [as_written(each) for each, its in zip(filled, places, strict=True) if its == place]
        if len(same) > 1:
            raise Unfit(f"{' and '.join(map(repr, same))} are all {what}; {_SHAPES}")


def _names(filled: list[Parameter]) -> tuple[str, ...]:
    """The names to give them by: among what is injected, an argument has no place that is known."""
    return tuple("" if each.kind is Parameter.POSITIONAL_ONLY else each.name for each in filled)


def as_written(parameter: Parameter) -> str:
    """A parameter with its annotation, as it stands in the source."""
    hint = parameter.annotation
    if hint is Parameter.empty:
        return parameter.name
    return f"{parameter.name}: {hint if isinstance(hint, str) else inspect.formatannotation(hint)}"


def hint_of(function: object, parameter: Parameter) -> Any:
    """The annotation of a parameter, its texts resolved; the job if there is none.

    Raises:
        Unfit: It names what is not there.
    """
    annotation = parameter.annotation
    if annotation is Parameter.empty:
        return JobRecord
    names = getattr(function_of(function), "__globals__", {})
    # Only this one: what else the signature names may be there for type checkers alone.
    holder = types.SimpleNamespace(__annotations__={parameter.name: annotation})
    try:
        return typing.get_type_hints(holder, names, include_extras=True)[parameter.name]
    except _UNRESOLVED as error:
        if annotation in _JOB_TEXTS:
            return JobRecord
        problem = f"the annotation {annotation!r} of {parameter.name!r} can't be resolved"
        advice = "it must be importable at run time, from the top of the function's module"
        raise Unfit(f"{problem} ({error}); {advice}") from None


def is_job(hint: Any) -> bool:
    """Whether a type means the job."""
    if hint is Any or hint is object:
        return True
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return is_job(typing.get_args(hint)[0])
    if origin in (Union, types.UnionType):
        members = [each for each in typing.get_args(hint) if each is not types.NoneType]
        return all(is_job(each) for each in members)
    return isinstance(hint, type) and issubclass(hint, JobRecord)
