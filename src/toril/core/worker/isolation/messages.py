"""What a worker and its child tell each other: pickles, each behind its length.

Only plain values are in a message itself. What may be of the user's own types (arguments, errors) is a pickle
in it, so that one that can't be read harms nothing but itself.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from toril.model.job import Fields

_LENGTH = struct.Struct(">I")
# No payload is longer than half of that. What looks longer is no message of ours.
_MOST_BYTES = 256 * 1024 * 1024


class Setup(NamedTuple):
    """The first message to a child: what it will need.

    Attributes:
        argv: What the program finds in ``sys.argv``.
        main: What to load as ``__main__``; see ``main_module``.
        handlers: Pickled functions; jobs name them by their places.
        overrides: Pickled functions that make resources, each with the one that is called in its place.
        on_start: A pickled hook.
        on_stop: A pickled hook.
        max_jobs: See ``ChildOptions``.
        max_memory: See ``ChildOptions``.
        grace: See ``ChildOptions``.
    """

    argv: list[str]
    main: tuple[str, str] | None
    handlers: list[bytes]
    overrides: list[tuple[bytes, bytes]]
    on_start: bytes | None
    on_stop: bytes | None
    max_jobs: int | None
    max_memory: int | None
    grace: float


class Run(NamedTuple):
    """To a child: run this job."""

    handler: int
    prefix: str
    queue: str
    id: str
    fields: Fields
    token: str


class Cancel(NamedTuple):
    """To a child: the job it runs is cancelled."""


class Late(NamedTuple):
    """To a child: the job it runs takes longer than its soft timeout."""

    text: str


class Failure(NamedTuple):
    """An error on its way.

    Attributes:
        kind: Name of its class.
        text: What it says.
        stack: Its traceback.
        pickled: The error itself, or the nearest to it that can be pickled; empty if there is none.
    """

    kind: str
    text: str
    stack: str
    pickled: bytes


class Answer(NamedTuple):
    """To a child: what became of a verb of the job.

    Attributes:
        number: Of the question.
        fields: The job's fields, if the verb has changed them.
    """

    number: int
    value: Any
    failure: Failure | None
    fields: Fields | None


class Ask(NamedTuple):
    """From a child: carry out a verb of the job; ``arguments`` is a pickle."""

    number: int
    verb: str
    arguments: bytes


class Ready(NamedTuple):
    """From a child: it has loaded what it needs."""


class NotReady(NamedTuple):
    """From a child: it could not start, and leaves."""

    failure: Failure


class Done(NamedTuple):
    """From a child: the handler returned; ``last`` if the child leaves now."""

    result: bytes
    last: bool


class Failed(NamedTuple):
    """From a child: the handler raised; ``last`` if the child leaves now."""

    failure: Failure
    last: bool


class Garbled(Exception):
    """What came is no message."""


def packed(message: tuple[Any, ...]) -> bytes:
    """A message as it is sent."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


class Inbox:
    """Finds messages in what is received."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """More was received; the messages that are whole now.

        Raises:
            Garbled: It is no message.
        """
        buffer = self._buffer
        buffer += data
        while len(buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer)
            if length > _MOST_BYTES:
                raise Garbled(f"a message of {length} bytes")
            end = _LENGTH.size + length
            if len(buffer) < end:
                return
            body = bytes(buffer[_LENGTH.size : end])
            del buffer[:end]
            yield _loaded(body)


def _loaded(body: bytes) -> Any:
    try:
        return pickle.loads(body)
    except Exception as error:
        raise Garbled(str(error)) from error
