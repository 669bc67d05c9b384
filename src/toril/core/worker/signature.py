"""What a handler wants to be called with: the job, its payload as a type of the user's, or both."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import Parameter
from typing import Any, Literal, Union, cast

from toril.errors import OptionError
from toril.model.job import JobRecord

Place = Literal["job", "payload"]

_SHAPES = "a handler takes (job), (order: Order), (job: Job, order: Order) or (order: Order, job: Job)"
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
    """

    places: tuple[Place, ...] = ("job",)
    payload: Any = None


def wants_of(handler: object, option: str = "handler") -> Wants:
    """Read the signature of a handler. Parameters that have a default are its own affair.

    Args:
        option: Where the handler stands, for the error.

    Raises:
        OptionError: It can't be called with a job, a payload or both.
    """
    if not callable(handler):
        raise OptionError(option, handler, f"can't be called; {_SHAPES}")
    try:
        parameters = list(inspect.signature(handler).parameters.values())
    except ValueError:
        # Some built-in functions don't tell what they take.
        return Wants()
    filled = _filled(parameters)
    if isinstance(filled, str):
        raise OptionError(option, handler, f"{filled}; {_SHAPES}")
    hints = [_hint_of(handler, parameter, option) for parameter in filled]
    payloads = [hint for hint in hints if not _is_job(hint)]
    if len(hints) == 2 and len(payloads) != 1:
        names = " and ".join(repr(parameter.name) for parameter in filled)
        what = (
            "payloads, of which a job has one" if payloads else "the job; annotate one with a payload's type"
        )
        raise OptionError(option, handler, f"{names} are both {what}; {_SHAPES}")
    places: list[Place] = ["job" if _is_job(hint) else "payload" for hint in hints]
    return Wants(tuple(places), payloads[0] if payloads else None)


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


def _filled(parameters: list[Parameter]) -> list[Parameter] | str:
    """The parameters that the job and the payload go to, or why there are none such."""
    positional = [each for each in parameters if each.kind in _POSITIONAL]
    needed = [each for each in parameters if each.default is Parameter.empty]
    named = [each.name for each in needed if each.kind is Parameter.KEYWORD_ONLY]
    if named:
        return f"{named[0]!r} has no default and can only be given by name"
    filled = [each for each in positional if each in needed] or positional[:1]
    if len(filled) > 2:
        return f"it wants {len(filled)} arguments"
    if filled:
        return filled
    if any(each.kind is Parameter.VAR_POSITIONAL for each in parameters):
        return [Parameter("job", Parameter.POSITIONAL_ONLY)]
    return "it takes no argument"


def _hint_of(handler: object, parameter: Parameter, option: str) -> Any:
    """The annotation of a parameter, its texts resolved."""
    annotation = parameter.annotation
    if annotation is Parameter.empty:
        return JobRecord
    names = getattr(function_of(handler), "__globals__", {})
    # Only this one: what else the signature names may be there for type checkers alone.
    holder = types.SimpleNamespace(__annotations__={parameter.name: annotation})
    try:
        return typing.get_type_hints(holder, names, include_extras=True)[parameter.name]
    except _UNRESOLVED as error:
        if annotation in _JOB_TEXTS:
            return JobRecord
        problem = f"the annotation {annotation!r} of {parameter.name!r} can't be resolved"
        advice = "it must be importable at run time, from the top of the handler's module"
        raise OptionError(option, handler, f"{problem} ({error}); {advice}") from None


def _is_job(hint: Any) -> bool:
    if hint is Any or hint is object:
        return True
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _is_job(typing.get_args(hint)[0])
    if origin in (Union, types.UnionType):
        members = [each for each in typing.get_args(hint) if each is not types.NoneType]
        return all(_is_job(each) for each in members)
    return isinstance(hint, type) and issubclass(hint, JobRecord)
