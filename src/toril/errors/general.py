"""Errors that concern no single job."""

from __future__ import annotations

from collections.abc import Iterable

from toril.errors.nearest import hint


class TorilError(Exception):
    """Base of everything toril raises, but for what a handler raises to steer."""


class OptionError(TorilError, ValueError):
    """An option has a wrong name, type, range or unit; nothing was written.

    Attributes:
        option: Name of the option, as the caller spells it.
        value: What was given.
    """

    def __init__(self, option: str, value: object, problem: str) -> None:
        super().__init__(f"{option}={value!r}: {problem}")
        self.option = option
        self.value = value

    @classmethod
    def unknown(cls, option: str, value: object, known: Iterable[str]) -> OptionError:
        """An option nobody knows, with the nearest one that is known."""
        return cls(option, value, f"there is no such option; {hint(option, sorted(known))}")

    @classmethod
    def no_such(cls, what: str, name: object, known: Iterable[str]) -> OptionError:
        """A state, kind or event nobody knows, with the nearest one that is known."""
        return cls(what, name, f"there is no such {what}; {hint(str(name), sorted(known))}")


class UnknownBackoff(TorilError):
    """The job's backoff is of a type that this worker has no strategy for; the job stays as it is."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"there is no backoff strategy {kind!r}; give it to the worker as backoff_strategies"
        )
        self.kind = kind


class MissingExtra(TorilError, ImportError):
    """An optional package is needed here and not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'toril[{extra}]'")
        self.feature = feature
        self.extra = extra


class EmbeddedServerError(TorilError):
    """The embedded server could not be started; the message says why and what to do."""


class StoreError(TorilError):
    """Something between toril and the server went wrong."""


class StoreUnavailable(StoreError, ConnectionError):
    """The server did not answer; what was asked may or may not have been done."""


class StoreMisconfigured(StoreError):
    """The server answers, but can't be used as it is set up (version, password, replica, ...)."""


class ScriptError(StoreError):
    """A server script failed in a way it should not; the message holds the place in its source."""


class QueueInUse(TorilError):
    """The queue can't be obliterated now: jobs of it run, or it was resumed meanwhile.

    Attributes:
        queue: Its name.
    """

    def __init__(self, message: str, *, queue: str) -> None:
        super().__init__(message)
        self.queue = queue


class ResultTimeout(TorilError, TimeoutError):
    """The job did not finish within the time given to ``Job.result``; it goes on all the same."""


class ReaderReplaced(TorilError):
    """Another process, or object, has begun to read events under this reader's name; this one has to stop.

    Attributes:
        reader: The name.
    """

    def __init__(self, reader: str, queue: str) -> None:
        super().__init__(f"reader {reader!r} of queue {queue} was started elsewhere; give each its own name")
        self.reader = reader


class ChildProcessDied(TorilError):
    """The child process that ran a job is gone, or could not start; the attempt has failed.

    Attributes:
        pid: Its id; ``None`` if there never was a process.
        exit_code: What it left with; below 0 for the number of a signal, ``None`` if it was not waited for.
        signal: Name of the signal that killed it, if one did.
    """

    def __init__(
        self, message: str, *, pid: int | None = None, exit_code: int | None = None, signal: str | None = None
    ) -> None:
        super().__init__(message)
        self.pid = pid
        self.exit_code = exit_code
        self.signal = signal


class RemoteError(TorilError):
    """What a handler raised in a child process, if that can't be carried over; the text is its own.

    Attributes:
        kind: Name of its class.
    """

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind
