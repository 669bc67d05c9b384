"""Events of the user's own, as they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from toril.core.payload import encode
from toril.errors import OptionError
from toril.model.checks import check_text
from toril.model.event import BUILT_IN_EVENTS, GAP

# What readers tell by themselves.
_LOCAL = frozenset({GAP, "error"})
# More than that a script can't pass on in one command.
_MOST_FIELDS = 1000


def event_words(name: str, fields: object, more: Mapping[str, object]) -> list[str]:
    """Name of an event, then names and values of its fields; what is no text is stored as JSON.

    Args:
        fields: A mapping, or ``None`` for no fields.
        more: Further fields, which win.

    Raises:
        OptionError: The name is empty or one that queues and readers tell themselves; the fields are no
            mapping; a field is called ``event``, is no text, or its value has no JSON form.
    """
    _check_name(name)
    if fields is not None and not isinstance(fields, Mapping):
        raise OptionError("fields", fields, "must be a mapping of names and values, such as {'order': 17}")
    return [name, *_field_words({**(cast("Mapping[str, object] | None", fields) or {}), **more})]


def _check_name(name: str) -> None:
    if not check_text(name, "name"):
        raise OptionError("name", name, "an event needs a name")
    if name in BUILT_IN_EVENTS or name in _LOCAL:
        raise OptionError(
            "name", name, "queues and readers tell this themselves; take another, such as 'my-" + name + "'"
        )


def _field_words(fields: Mapping[str, object]) -> list[str]:
    if len(fields) > _MOST_FIELDS:
        raise OptionError("fields", len(fields), f"are more than the {_MOST_FIELDS} that an event may have")
    words: list[str] = []
    for field, value in fields.items():
        if check_text(field, "fields") == "event":
            raise OptionError("fields", field, "is where the name of the event is stored")
        words += (field, check_text(value, field) if isinstance(value, str) else encode(value, field))
    return words
