"""JSON values, and how recorded ones are read and told apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"


class BadRecording(Exception):
    """A scenario file does not have the form it should have."""


def parse(text: str) -> JSON:
    """The value of a JSON text.

    Raises:
        ValueError: It is no JSON.
    """
    value: JSON = json.loads(text)
    return value


def same(left: JSON, right: JSON) -> bool:
    """Whether two JSON values mean the same: 1 is 1.0, but true is not 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if is_number(left) and is_number(right):
        return left == right
    return type(left) is type(right) and left == right


def is_number(value: JSON) -> bool:
    """Whether this is a number; true and false aren't."""
    return isinstance(value, int | float) and not isinstance(value, bool)


class Args:
    """Named values of a recorded object, read with the type they must have."""

    def __init__(self, values: Mapping[str, JSON]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def all(self) -> Mapping[str, JSON]:
        """All values by their names."""
        return self._values

    def get(self, name: str, default: JSON = None) -> JSON:
        """The value, whatever its type."""
        return self._values.get(name, default)

    def raw(self, name: str, default: JSON = None) -> Any:
        """The value, for a parameter that is tried with wrong types, too."""
        return self._values.get(name, default)

    def optional_text(self, name: str) -> str | None:
        """A text, if it is there."""
        return self.text(name) if name in self._values else None

    def text(self, name: str, default: str | None = None) -> str:
        """A text; one without default must be there."""
        value = self._values.get(name, default)
        if not isinstance(value, str):
            raise BadRecording(f"{name}={value!r} should be a text")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number; one without default must be there."""
        value = self._values.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise BadRecording(f"{name}={value!r} should be a whole number")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self._values.get(name, default)
        if not isinstance(value, bool):
            raise BadRecording(f"{name}={value!r} should be true or false")
        return value

    def items(self, name: str) -> list[JSON]:
        """A list; an empty one if it isn't there."""
        value = self._values.get(name, [])
        if not isinstance(value, list):
            raise BadRecording(f"{name}={value!r} should be a list")
        return value

    def texts(self, name: str) -> list[str]:
        """A list of texts; an empty one if it isn't there."""
        return [as_text(item) for item in self.items(name)]

    def mapping(self, name: str) -> dict[str, JSON]:
        """An object; an empty one if it isn't there."""
        return as_mapping(self._values.get(name, {}))

    def args(self, name: str) -> Args:
        """An object, to be read in the same way."""
        return Args(self.mapping(name))


def as_text(value: JSON) -> str:
    """This value, which must be a text."""
    if not isinstance(value, str):
        raise BadRecording(f"{value!r} should be a text")
    return value


def as_list(value: JSON) -> list[JSON]:
    """This value, which must be a list."""
    if not isinstance(value, list):
        raise BadRecording(f"{value!r} should be a list")
    return value


def as_mapping(value: JSON) -> dict[str, JSON]:
    """This value, which must be an object."""
    if not isinstance(value, dict):
        raise BadRecording(f"{value!r} should be an object")
    return value
