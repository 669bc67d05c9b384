"""What the parameters of a handler are to be given, read from its signature once, before any job runs.

A plan depends on nothing but the handler and what overrides its resources, so any process can make it.
"""

from __future__ import annotations

import inspect
import logging
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from inspect import Parameter
from typing import Any, Literal, Union, cast

import msgspec

from toril.core.worker.inject.depends import Depends, Scope
from toril.core.worker.inject.given import CancelToken, JobLogger
from toril.core.worker.signature import (
    INJECTED,
    Unfit,
    as_written,
    check_callable,
    function_of,
    hint_of,
    is_job,
)
from toril.errors import OptionError

#: What a run has for its handler and its resources without making anything.
Fact = Literal["job", "log", "cancel"]

_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


class Resource(msgspec.Struct, frozen=True, eq=False):
    """Something that is made for handlers.

    Attributes:
        make: What makes it.
        scope: How long it lives.
        entered: Whether what ``make`` gives is a context manager of the resource, and not the resource.
        needs: What ``make`` is to be given, by the names of its parameters.
    """

    make: Callable[..., Any]
    scope: Scope
    entered: bool
    needs: Mapping[str, Source]


Source = Resource | Fact


class Plan(msgspec.Struct, frozen=True):
    """What a handler is given beside its job and payload.

    Attributes:
        needs: Where it comes from, by the names of the handler's parameters.
        resources: What is made for each run, each after what it needs itself.
        facts: What is needed of the run.
        logger: What its logger writes to.
    """

    needs: Mapping[str, Source]
    resources: tuple[Resource, ...]
    facts: frozenset[Fact]
    logger: logging.Logger


class Planner:
    """Makes the plans of handlers that share resources.

    Args:
        overrides: What makes a resource in place of what handlers name.

    Attributes:
        resources: All that the plans need, each after what it needs itself.
    """

    def __init__(self, overrides: Mapping[Callable[..., Any], Callable[..., Any]]) -> None:
        self._overrides = overrides
        self._known: dict[Depends, Resource] = {}
        self._under_way: list[Depends] = []

    @property
    def resources(self) -> tuple[Resource, ...]:
        return tuple(self._known.values())

    @property
    def makers(self) -> list[Callable[..., Any]]:
        """What handlers and resources name as what makes a resource."""
        return [depends.make for depends in self._known]

    def plan(self, handler: Callable[..., Any], option: str) -> Plan:
        """Read the signature of a handler.

        Args:
            option: Where the handler stands, for errors.

        Raises:
            OptionError: Something it is to be given can't be.
        """
        check_callable(handler, option)
        needs = dict(self._needs(handler, _Place(option, handler)))
        within = _reached(needs)
        return Plan(
            needs,
            tuple(each for each in self._known.values() if each.scope == "job" and each in within),
            frozenset(each for each in within if not isinstance(each, Resource)),
            logging.getLogger(getattr(function_of(handler), "__module__", None) or __name__),
        )

    def _needs(self, function: Callable[..., Any], place: _Place) -> Iterator[tuple[str, Source]]:
        """The parameters that are injected; the others of a handler are its job and its payload."""
        for parameter in _open_parameters(function):
            source = self._source(function, parameter, place)
            if source is not None and parameter.kind is Parameter.POSITIONAL_ONLY:
                raise place.refusal(
                    f"{as_written(parameter)!r} is injected by name, and must not be before /"
                )
            if source is not None:
                yield parameter.name, source

    def _source(self, function: Callable[..., Any], parameter: Parameter, place: _Place) -> Source | None:
        if isinstance(parameter.default, Depends):
            advice = f"write {parameter.name}: Annotated[T, Depends(make)], and no default"
            raise place.refusal(f"Depends is the default of {parameter.name!r}; {advice}")
        hint = _hint(function, parameter, place)
        marks = list(_marks(hint))
        if len(marks) > 1:
            raise place.refusal(f"{as_written(parameter)!r} has more than one Depends")
        if marks:
            return self._resource(marks[0], place)
        has_default = parameter.default is not Parameter.empty
        fact = _fact(hint, has_default=has_default)
        if place.depends is None or has_default:
            return fact
        if fact is None and _names_the_job(parameter, hint):
            fact = "job"
        if fact is None:
            raise place.refusal(f"nobody can give it {as_written(parameter)!r}; {INJECTED}")
        return fact

    def _resource(self, mark: object, place: _Place) -> Resource:
        if not isinstance(mark, Depends):
            raise place.refusal("Depends stands without what makes the resource; write Depends(make)")
        if mark in self._under_way:
            circle = [*self._under_way[self._under_way.index(mark) :], mark]
            raise place.refusal(
                f"it goes round in a circle: {' needs '.join(_name(each) for each in circle)}"
            )
        if mark not in self._known:
            self._under_way.append(mark)
            make = self._overrides.get(mark.make, mark.make)
            inner = _Place(place.option, place.handler, mark)
            needs = dict(self._needs(make, inner))
            self._under_way.pop()
            if mark.scope == "worker":
                _check_lasting(needs, inner)
            self._known[mark] = Resource(make, mark.scope, _is_entered(make), needs)
        return self._known[mark]


class _Place(msgspec.Struct, frozen=True):
    """Whose parameters are read: a handler's, or those of what makes a resource for it."""

    option: str
    handler: object
    depends: Depends | None = None

    def refusal(self, problem: str) -> OptionError:
        if self.depends is not None:
            problem = f"its resource {_name(self.depends)}: {problem}"
        return OptionError(self.option, self.handler, problem)


def _open_parameters(function: Callable[..., Any]) -> list[Parameter]:
    """The parameters that nobody has given a value yet."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        # Some built-in functions don't tell what they take.
        return []
    given = cast("partial[Any]", function).keywords if isinstance(function, partial) else {}
    return [each for each in parameters if each.kind not in _VARIADIC and each.name not in given]


def _hint(function: Callable[..., Any], parameter: Parameter, place: _Place) -> Any:
    """The annotation; that of a parameter with a default may be there for type checkers only."""
    try:
        return hint_of(function, parameter)
    except Unfit as error:
        if parameter.default is Parameter.empty or "Depends" in str(parameter.annotation):
            raise place.refusal(str(error)) from None
        return object


def _marks(hint: Any) -> Iterator[object]:
    """Each ``Depends`` of a type that is annotated, or that may be ``None``."""
    if typing.get_origin(hint) is typing.Annotated:
        yield from (each for each in hint.__metadata__ if isinstance(each, Depends) or each is Depends)
    for member in _members(hint):
        yield from _marks(member)


def _fact(hint: Any, *, has_default: bool) -> Fact | None:
    members = [each for each in _members(hint) if each is not types.NoneType]
    if len(members) == 1:
        return _fact(members[0], has_default=has_default)
    if hint is CancelToken:
        return "cancel"
    # A logger of another kind that has a default is that default: it may be no logger of a job's.
    is_logger = (typing.get_origin(hint) or hint) is logging.LoggerAdapter and not has_default
    return "log" if hint is JobLogger or is_logger else None


def _members(hint: Any) -> tuple[Any, ...]:
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return typing.get_args(hint)[:1]
    return typing.get_args(hint) if origin in (Union, types.UnionType) else ()


def _names_the_job(parameter: Parameter, hint: Any) -> bool:
    return parameter.annotation is not Parameter.empty and hint not in (Any, object) and is_job(hint)


def _check_lasting(needs: Mapping[str, Source], place: _Place) -> None:
    """What lives as long as the worker can't be made of what is gone with a job."""
    for name, source in needs.items():
        if not isinstance(source, Resource) or source.scope == "job":
            problem = f"it lives as long as the worker, and {name!r} no longer than a job"
            raise place.refusal(f"{problem}; write Depends(..., scope='job')")


def _reached(needs: Mapping[str, Source]) -> dict[Source, None]:
    """All that is needed, for what is needed too."""
    reached: dict[Source, None] = {}
    ahead = list(needs.values())
    while ahead:
        source = ahead.pop()
        if isinstance(source, Resource) and source not in reached:
            ahead.extend(source.needs.values())
        reached[source] = None
    return reached


def _is_entered(make: Callable[..., Any]) -> bool:
    """Whether it gives what is to be entered: a generator function, decorated or not, or a class of such."""
    if isinstance(make, type):
        return hasattr(make, "__aenter__") or hasattr(make, "__enter__")
    function = function_of(make)
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _name(depends: Depends) -> str:
    made = depends.make if isinstance(depends.make, type) else function_of(depends.make)
    return getattr(made, "__name__", None) or repr(depends.make)
