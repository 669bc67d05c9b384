"""How commands end: the exit codes, and what each error means for them."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Exit codes. They are documented, so they don't change."""

    OK = 0
    #: ``doctor`` found something; the queue, or whoever was asked, refused.
    FOUND = 1
    #: A command, an option or a value that can't be used.
    USAGE = 2
    #: The server does not answer or can't be used; a package is missing.
    UNAVAILABLE = 3
    #: There is no such queue, job or scheduler.
    NOT_THERE = 4
    INTERRUPTED = 130
    #: Who read the output has gone, as for any program that SIGPIPE ends.
    PIPE = 141


class Failure(Exception):
    """A command ends here, with one line for whoever called it.

    Attributes:
        code: What it exits with.
    """

    def __init__(self, message: str, code: Code) -> None:
        super().__init__(message)
        self.code = code


def refused(message: str) -> Failure:
    """What was asked for was not done."""
    return Failure(message, Code.FOUND)


def unusable(message: str) -> Failure:
    """What was given can't be used."""
    return Failure(message, Code.USAGE)


def not_there(message: str) -> Failure:
    """There is no such thing."""
    return Failure(message, Code.NOT_THERE)


def code_of(error: Exception) -> Code | None:
    """The exit code for an error; ``None`` for one that is nobody's fault but ours."""
    from toril.errors import (
        EmbeddedServerError,
        JobNotFound,
        MissingExtra,
        OptionError,
        ParentNotFound,
        StoreError,
        TorilError,
    )

    match error:
        case Failure():
            return error.code
        case OptionError():
            return Code.USAGE
        case StoreError() | EmbeddedServerError() | MissingExtra():
            return Code.UNAVAILABLE
        case JobNotFound() | ParentNotFound():
            return Code.NOT_THERE
        case TorilError():
            return Code.FOUND
        case _:
            return None
