"""Errors on their way between processes: whatever was raised arrives, with its traceback as text."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from toril.core.worker.isolation.messages import Failure
from toril.errors import RemoteError, Steer, TorilError
from toril.model.outcome import RemoteTraceback, reason_of, stack_of


class _Pickler(pickle.Pickler):
    """Pickles errors by what they hold, and not by what they are made with, which many classes get wrong."""

    def reducer_override(self, obj: Any, /) -> Any:
        return _parts(obj) if isinstance(obj, BaseException) else NotImplemented


def _parts(error: BaseException) -> Any:
    kind = type(error)
    # What has no `__init__` of its own, or thought of pickles, knows better.
    if not isinstance(kind.__init__, FunctionType) or kind.__reduce__ is not BaseException.__reduce__:
        return NotImplemented
    return _rebuilt, (kind, error.args, vars(error))


def _rebuilt(kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(state)
    return error


def failure_of(error: BaseException) -> Failure:
    """An error, ready to be sent. This never fails."""
    kind, text = type(error).__qualname__, reason_of(error)
    return Failure(kind, text, stack_of(error), _pickled(error, text))


def error_of(failure: Failure) -> BaseException:
    """The error that was sent; its cause shows the traceback it had there, if that was sent, too."""
    try:
        error = pickle.loads(failure.pickled)
    except Exception:
        # It could not be pickled, or its class is not to be had here.
        error = RemoteError(failure.text, failure.kind)
    if failure.stack:
        error.__cause__ = RemoteTraceback(failure.stack)
    return error


def _pickled(error: BaseException, text: str) -> bytes:
    for likeness in _likenesses(error):
        try:
            out = io.BytesIO()
            _Pickler(out, pickle.HIGHEST_PROTOCOL).dump(likeness)
            arrived = pickle.loads(out.getvalue())
            if type(arrived) is type(likeness) and reason_of(arrived) == text:
                return out.getvalue()
        except Exception:
            # Whatever its class does to be pickled does not work.
            continue
    return b""


def _likenesses(error: BaseException) -> Iterator[BaseException]:
    """The error, and what means the same to a worker: its nearest class that every process knows."""
    yield error
    for kind in type(error).__mro__:
        if issubclass(kind, Steer | TorilError) and kind.__module__ == Steer.__module__:
            known = {name: value for name, value in vars(error).items() if _is_plain(value)}
            yield _rebuilt(kind, (reason_of(error),), known)
            return


def _is_plain(value: object) -> bool:
    try:
        pickle.dumps(value)
    except Exception:
        return False
    return True
