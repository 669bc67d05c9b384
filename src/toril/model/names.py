"""Names of queues and ids of jobs: what is allowed, and which keys they lead to."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from toril.errors import OptionError
from toril.model.checks import check_text

#: What follows ``<prefix>:<queue>:`` in the keys of a queue itself. A job of such an id would have its hash
#: where the queue has its own key, and break it. Source: BullMQ 6.7, key names.
RESERVED = frozenset(
    {
        *("meta", "id", "events", "marker", "limiter", "pc", "repeat", "stalled", "stalled-check"),
        *("wait", "paused", "active", "prioritized", "delayed", "waiting-children", "completed", "failed"),
        *("metrics:completed", "metrics:failed", "metrics:completed:data", "metrics:failed:data"),
        # Of BullMQ before 4; its maintenance calls still delete these two.
        *("delay", "priority"),
    }
)

_INTEGER = re.compile(r"-?[1-9][0-9]*|0", re.ASCII)

# Digits. From the 22nd on JavaScript prints a number with an exponent.
_PLAIN_DIGITS = 21


class QueueRef(NamedTuple):
    """A queue, by its two names.

    Attributes:
        prefix: What all keys begin with; ``bull`` unless told otherwise.
        name: Name of the queue.
    """

    prefix: str
    name: str

    @property
    def qualified(self) -> str:
        """``prefix:name``, as parents are referred to."""
        return f"{self.prefix}:{self.name}"

    @property
    def base(self) -> str:
        """``prefix:name:``, what each key of the queue begins with."""
        return f"{self.prefix}:{self.name}:"

    def job_key(self, id: str) -> str:
        """The key of a job's hash."""
        return f"{self.prefix}:{self.name}:{id}"


def split_job_key(key: str, prefix: str) -> tuple[QueueRef, str] | None:
    """The queue and the id of a job's key; ``None`` if it is none.

    Args:
        key: ``prefix:queue:id``.
        prefix: The prefix it probably has, since prefixes may hold colons.
    """
    known = f"{prefix}:"
    if key.startswith(known):
        name, _, id = key[len(known) :].partition(":")
    else:
        prefix, _, rest = key.partition(":")
        name, _, id = rest.partition(":")
    return (QueueRef(prefix, name), id) if prefix and name and id else None


def check_queue_name(name: object) -> str:
    """A queue's name: not empty and without a colon.

    Raises:
        OptionError: It is something else.
    """
    text = check_text(name, "name")
    if not text:
        raise OptionError("name", name, "a queue needs a name")
    if ":" in text:
        raise OptionError(
            "name", name, "a queue's name must not hold ':', which separates the parts of a key"
        )
    return text


def check_prefix(prefix: object) -> str:
    """A key prefix: not empty; it may hold colons and a ``{hash tag}``.

    Raises:
        OptionError: It is something else.
    """
    text = check_text(prefix, "prefix")
    if not text:
        raise OptionError("prefix", prefix, "must not be empty")
    return text


def check_job_id(value: object, option: str = "job_id") -> str | None:
    """A caller's job id; an empty one stands for the next number and comes back as ``None``.

    Raises:
        OptionError: It is no text, an integer, has a colon (two are allowed, as schedulers write them),
            is ``0`` or begins with ``0:``, or is the name of one of the queue's own keys.
    Source: job ids, BullMQ 6.7. There, only a single add refuses ``0:`` and reserved names are not refused.
    """
    if isinstance(value, int):
        raise OptionError(option, value, "must be a str; integers are the ids that the queue gives out")
    text = check_text(value, option)
    problem = _problem_of_id(text) if text else None
    if problem:
        raise OptionError(option, value, problem)
    return text or None


def _problem_of_id(text: str) -> str | None:
    if text == "0" or text.startswith("0:"):
        return "must not be '0' or begin with '0:', which is how old versions marked a queue"
    if _is_own_integer_parse(text):
        return "must not be an integer; those are the ids that the queue gives out"
    if text.count(":") not in (0, 2):
        return "must hold no ':' at all, or exactly two"
    if text in RESERVED:
        return "is the name of one of the queue's own keys"
    return None


def _is_own_integer_parse(text: str) -> bool:
    """Whether JavaScript would parse this as an integer and print the same again.

    Beyond 2^53 a text is often printed as another number, and then it is an allowed id.
    """
    if not _INTEGER.fullmatch(text):
        return False
    if len(text.lstrip("-")) > _PLAIN_DIGITS:
        return False
    return str(int(Decimal(repr(float(text))))) == text
