"""Payloads as types of the user's: decoded and checked in one step, straight from what is stored."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator
from typing import Any, cast

import msgspec

from toril.errors import InvalidPayload, OptionError
from toril.model.job import JobRecord

Decode = Callable[[JobRecord], Any]

_KINDS = (
    "take a dataclass, msgspec.Struct, TypedDict, NamedTuple, pydantic (2) model or a type of JSON values; "
    "what the worker shall make is Annotated[T, Depends(make)]"
)
# What msgspec and pydantic raise for types they can't handle.
_UNUSABLE = (TypeError, ValueError, NameError, AttributeError, RuntimeError)
# Errors of a model that a reason tells of, and characters of a name in them.
_MOST_ERRORS = 3
_MOST_NAME = 80


def decoder_of(payload: Any, option: str, handler: object, parameter: str = "") -> Decode:
    """A function that decodes a job's data. A job without data has ``{}``.

    Types of pydantic are checked by pydantic, wherever in the payload they are; all others by msgspec.

    Args:
        payload: The type.
        option: Where the handler stands, for the error.
        handler: Whose payload it is, for the error.
        parameter: The name of the handler's parameter, for the error.

    Raises:
        OptionError: Neither library can handle the type.
    """
    name = _name_of(payload)
    where = f"{parameter}: {name}" if parameter else name
    try:
        if any(_is_pydantic(each) for each in _members(payload)):
            return _by_pydantic(payload, name)
        classes = list(_classes(msgspec.inspect.type_info(payload)))
        if any(_is_pydantic(each) for each, _ in classes):
            return _by_pydantic(payload, name)
        decode = msgspec.json.Decoder(payload).decode
    except _UNUSABLE as error:
        text = f"its payload {where} can't be decoded: {error}; {_KINDS}"
        raise OptionError(option, handler, text) from error
    strange = [each for each, known in classes if not known]
    if strange:
        text = f"its payload {where} can't be decoded, JSON knows nothing like {_name_of(strange[0])}"
        raise OptionError(option, handler, f"{text}; {_KINDS}")
    return _by_msgspec(decode, name)


def _by_msgspec(decode: Callable[[Any], Any], name: str) -> Decode:
    def payload_of(job: JobRecord) -> Any:
        try:
            return decode(job.fields.get(b"data", b"{}"))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidPayload(f"data does not fit {name}: {error}") from error
        except RecursionError as error:
            raise InvalidPayload(f"data does not fit {name}: it is nested too deeply") from error

    return payload_of


def _by_pydantic(payload: Any, name: str) -> Decode:
    # Whoever has such a class has pydantic; nobody else needs it.
    from pydantic import TypeAdapter, ValidationError

    adapter = TypeAdapter[Any](payload)
    # A model that names what is not defined yet says so here, and not at each job.
    dict(adapter.core_schema)
    validate = adapter.validate_json

    def payload_of(job: JobRecord) -> Any:
        try:
            return validate(job.fields.get(b"data", b"{}"))
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False, include_input=False)
            rows = [_row(each["msg"], each["loc"]) for each in details[:_MOST_ERRORS]]
            if len(details) > _MOST_ERRORS:
                rows.append(f"and {len(details) - _MOST_ERRORS} more")
            raise InvalidPayload(f"data does not fit {name}: {'; '.join(rows)}") from error

    return payload_of


def _row(problem: str, places: tuple[int | str, ...]) -> str:
    """An error of pydantic as msgspec would put it."""
    path = "".join(_step(place) for place in places)
    return f"{problem} - at `${path}`" if path else problem


def _step(place: int | str) -> str:
    if isinstance(place, int):
        return f"[{place}]"
    name = place if len(place) <= _MOST_NAME else place[: _MOST_NAME - 3] + "..."
    return f".{name}" if name.isidentifier() else f"[{msgspec.json.encode(name).decode()}]"


def _is_pydantic(member: Any) -> bool:
    return isinstance(member, type) and hasattr(member, "__pydantic_validator__")


def _members(hint: Any) -> Iterator[Any]:
    """A type and the types in its brackets."""
    yield hint
    for inner in typing.get_args(hint):
        yield from _members(inner)


def _classes(info: msgspec.inspect.Type) -> Iterator[tuple[Any, bool]]:
    """The classes in a type, in those of its fields and so on, each with whether msgspec knows it."""
    seen: set[int] = set()
    waiting: list[object] = [info]
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple):
            waiting.extend(cast("tuple[object, ...]", part))
        elif isinstance(part, msgspec.inspect.Field):
            waiting.append(part.type)
        elif isinstance(part, msgspec.inspect.Type) and id(part) not in seen:
            seen.add(id(part))
            parts = msgspec.structs.asdict(part)
            if "cls" in parts:
                yield parts["cls"], not isinstance(part, msgspec.inspect.CustomType)
            waiting.extend(parts.values())


def _name_of(hint: Any) -> str:
    name = hint.__name__ if isinstance(hint, type) else repr(hint).replace("typing.", "")
    return name if len(name) <= _MOST_NAME else name[: _MOST_NAME - 3] + "..."
