"""The text of a traceback is the one that Python makes, from whatever place and how often it is asked for."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable

import pytest

from toril.model import stack
from toril.model.job import JobRecord
from toril.model.names import QueueRef
from toril.model.outcome import with_stack
from toril.model.stack import traceback_text


def _plain() -> None:
    raise ValueError("no such\nbook")


def _marked() -> None:
    shelf: dict[str, dict[str, int]] = {"a": {}}
    print(shelf["a"]["b"] + len(shelf))


def _caused() -> None:
    try:
        _marked()
    except KeyError as error:
        raise LookupError("no shelf") from error


def _in_context() -> None:
    try:
        _plain()
    except ValueError:
        _marked()


def _suppressed() -> None:
    try:
        _plain()
    except ValueError:
        raise RuntimeError from None


def _again() -> None:
    try:
        _plain()
    except ValueError as error:
        other = RuntimeError("other")
        error.__cause__, other.__cause__ = other, error
        raise


def _grouped() -> None:
    raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])


def _caused_by_group() -> None:
    try:
        _grouped()
    except ExceptionGroup as error:
        raise LookupError("no shelf") from error


def _recursive(depth: int = 0) -> None:
    _recursive(depth + 1) if depth < 50 else _plain()


def _mutual(depth: int = 0) -> None:
    (lambda: _mutual(depth + 1) if depth < 20 else _plain())()


def _noted() -> None:
    error = OSError(2, "gone")
    error.add_note("it was there\nyesterday")
    raise error


def _unparsable() -> None:
    compile("def f(:\n    pass", "<made up>", "exec")


def _misspelt() -> None:
    exec("tracebakc")


def _without_source() -> None:
    exec(compile("\n\nraise KeyError('made up')", "<made up>", "exec"))


class _Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def _mute() -> None:
    raise _Mute


_PLACES = (
    *(_plain, _marked, _caused, _in_context, _suppressed, _again, _grouped, _caused_by_group, _recursive),
    *(_mutual, _noted, _unparsable, _misspelt, _without_source, _mute),
)

_ERRORS = (ValueError, LookupError, RuntimeError, ExceptionGroup, OSError, SyntaxError, NameError, _Mute)


def _raised(place: Callable[[], object]) -> BaseException:
    try:
        place()
    except _ERRORS as error:
        return error
    pytest.fail("it raises nothing")


@pytest.mark.parametrize("place", _PLACES)
def test_the_text_is_pythons_own(place: Callable[[], object]) -> None:
    for _ in range(3):
        error = _raised(place)
        assert traceback_text(error) == "".join(traceback.format_exception(error))


def test_an_error_that_was_never_raised_has_its_last_line_alone() -> None:
    assert traceback_text(ValueError("built")) == "ValueError: built\n"


def test_two_places_of_one_line_are_told_apart() -> None:
    empty: dict[str, None] = {}
    for place in (lambda: empty["a"], lambda: empty["b"]):
        error = _raised(place)
        assert traceback_text(error) == "".join(traceback.format_exception(error))


def test_made_up_code_does_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "_MOST_FRAMES", 10)
    for number in range(30):
        code = compile(f"raise KeyError({number})", f"<made up {number}>", "exec")
        error = _raised(functools.partial(exec, code))
        assert traceback_text(error) == "".join(traceback.format_exception(error))
        assert len(vars(stack)["_frames"]) <= 10


def _record(limit: object, stacks: bytes = b'["first"]') -> JobRecord:
    opts = b"{}" if limit is None else b'{"stackTraceLimit": %s}' % str(limit).encode()
    return JobRecord(QueueRef("p", "q"), "1", {b"opts": opts, b"stacktrace": stacks}, "t")


@pytest.mark.parametrize(("limit", "kept"), [(None, 2), (1, 1), (2, 2), (0, 0), (-1, 0), ("true", 2)])
def test_a_job_keeps_as_many_stacks_as_it_wants(limit: object, kept: int) -> None:
    stacks = with_stack(_record(limit), _raised(_plain))
    assert len(stacks) == kept
    assert [stack.startswith("Traceback") for stack in stacks[-1:]] == [True] * bool(kept)
