"""Where handlers run, and what goes over the pipe to those in child processes."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toril import (
    BlockingJob,
    ChildFailed,
    ChildFailure,
    ChildProcessDied,
    Delay,
    Job,
    JobNotFound,
    OptionError,
    RateLimit,
    RemoteError,
    Retry,
    Unrecoverable,
    Worker,
)
from toril.core.worker.isolation.failures import error_of, failure_of
from toril.core.worker.isolation.messages import Answer, Ask, Cancel, Garbled, Inbox, Run, packed
from toril.core.worker.isolation.obituary import obituary
from toril.model.outcome import stack_of

MESSAGES = [
    Cancel(),
    Ask(7, "log", b"\x80"),
    Answer(7, {"a": [1]}, None, {b"data": b"{}"}),
    Run(0, "bull", "shop", "1", {b"name": b"paint", b"ats": 1}, "token"),
]


def plain(job: BlockingJob, key: object = None) -> None: ...


async def on_loop(job: Job) -> None: ...


def enclosed() -> Callable[[BlockingJob], None]:
    def inner(job: BlockingJob) -> None: ...

    return inner


def nameless() -> Callable[[BlockingJob], None]:
    return lambda job: None


class Holder:
    """What can't be pickled, since it holds a function without a name."""

    def __init__(self) -> None:
        self.key = lambda: 1

    def handle(self, job: BlockingJob) -> None: ...


def refusal(handler: Any, **options: Any) -> str:
    with pytest.raises(OptionError) as caught:
        Worker("shop", handler, **options)
    return str(caught.value)


@given(st.lists(st.integers(1, 40)))
def test_messages_are_found_however_they_arrive(cuts: list[int]) -> None:
    stream, inbox = b"".join(packed(message) for message in MESSAGES), Inbox()
    found: list[Any] = []
    for cut in [*cuts, len(stream)]:
        found += inbox.feed(stream[:cut])
        stream = stream[cut:]

    assert found == MESSAGES
    assert [type(each) for each in found] == [type(each) for each in MESSAGES]


@pytest.mark.parametrize("noise", [b"\xff" * 8, b"\0\0\0\2ab", b"GET / HTTP/1.1\r\n"])
def test_what_is_no_message_is_known_as_such(noise: bytes) -> None:
    with pytest.raises(Garbled):
        list(Inbox().feed(noise))


@pytest.mark.parametrize(
    "error",
    [
        Retry("again", delay=5),
        Delay(3),
        RateLimit(0.5),
        OptionError("delay", -1, "must not be negative"),
        JobNotFound("gone", queue="shop", job_id="1", verb="log"),
        ChildFailed("a child failed", ChildFailure("bull:shop", "2", "no")),
        OSError(2, "No such file", "/nowhere"),
        KeyError("colour"),
    ],
    ids=repr,
)
def test_errors_keep_their_class_text_and_attributes(error: BaseException) -> None:
    arrived = error_of(failure_of(error))

    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)


def test_an_error_shows_the_traceback_that_it_had() -> None:
    try:
        raise KeyError("colour")
    except KeyError as error:
        failure = failure_of(error)

    stack = stack_of(error_of(failure))

    assert stack == failure.stack
    assert "test_an_error_shows_the_traceback_that_it_had" in stack


def test_what_can_not_be_carried_over_means_the_same() -> None:
    class Local(Unrecoverable): ...

    class LocalDelay(Delay): ...

    final, later = error_of(failure_of(Local("no"))), error_of(failure_of(LocalDelay(3)))
    other = error_of(failure_of(type("Odd", (Exception,), {})("hm")))

    assert (type(final), str(final)) == (Unrecoverable, "no")
    assert isinstance(later, Delay)
    assert later.delay == 3
    assert isinstance(other, RemoteError)
    assert (str(other), other.kind) == ("hm", "Odd")


def test_an_error_whose_class_is_not_here_is_told_by_its_text() -> None:
    failure = failure_of(KeyError("x"))._replace(pickled=b"cnowhere\nGone\n.", kind="Gone", text="it went")

    error = error_of(failure)

    assert isinstance(error, RemoteError)
    assert (str(error), error.kind) == ("it went", "Gone")


@pytest.mark.parametrize(
    ("code", "text", "signal"),
    [
        (0, "left with exit code 0", None),
        (3, "left with exit code 3 before it was ready", None),
        (-11, "was killed by SIGSEGV", "SIGSEGV"),
        (-9, "was killed by SIGKILL, perhaps because memory ran out", "SIGKILL"),
        (-60, "was killed by signal 60", "signal 60"),
    ],
)
def test_what_became_of_a_child_is_told(code: int, text: str, signal: str | None) -> None:
    died = obituary(12, code, "", started="ready" not in text)

    assert str(died) == f"the child process (pid 12) {text}"
    assert (died.pid, died.exit_code, died.signal) == (12, code, signal)
    assert isinstance(pickle.loads(pickle.dumps(died)), ChildProcessDied)


BAD_PLACES: list[tuple[Any, Any, str]] = [
    (plain, "loop", "a plain 'def' would block the loop; make it 'async def', or let it run in a 'thread'"),
    (on_loop, "thread", "an 'async def' needs a loop; make it a plain 'def', or let it run in a 'process'"),
    (nameless(), "process", "it is a lambda; a process of its own needs a function at the top level"),
    (enclosed(), "process", "it is made inside of 'enclosed'"),
    (partial(enclosed()), "process", "it is made inside of 'enclosed'"),
    (partial(plain, key=lambda: 1), "process", "it can't be pickled"),
    (Holder().handle, "process", "it can't be pickled"),
    (plain, "proces", "there is no such isolation; did you mean 'process'?"),
    (plain, 7, "must be a mapping"),
    (
        plain,
        {"paint": "fork"},
        "isolation['paint']='fork': there is no such isolation; known are loop, thread",
    ),
    ({"paint": plain}, {"pain": "process"}, "no handler for jobs named 'pain'; did you mean 'paint'?"),
    ({"paint": plain}, {"paint": "loop"}, "handler['paint']="),
]


@pytest.mark.parametrize(("handler", "isolation", "problem"), BAD_PLACES)
def test_what_can_not_run_there_is_refused(handler: Any, isolation: Any, problem: str) -> None:
    assert problem in refusal(handler, isolation=isolation)


def stepwise() -> Generator[None]:
    yield


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("max_jobs_per_child", 0, "must"),
        ("max_memory_per_child", 1.5, "must"),
        ("on_child_start", "prepare", "must be a function without arguments"),
        ("on_child_stop", lambda: None, "it is a lambda"),
        ("on_child_start", stepwise, "it has a 'yield'"),
    ],
)
def test_options_of_children_are_checked(option: str, value: Any, problem: str) -> None:
    assert f"{option}=" in refusal(plain, isolation="process", **{option: value})
    assert problem in refusal(plain, isolation="process", **{option: value})


@pytest.mark.parametrize("isolation", [None, "thread", {"*": "thread"}])
def test_options_of_children_without_children_are_refused(isolation: Any) -> None:
    assert "no handler runs in a child process" in refusal(plain, isolation=isolation, max_jobs_per_child=5)
    assert Worker("shop", plain, isolation={"heavy": "process"}, max_jobs_per_child=5)


def test_names_are_those_of_all_queues_of_a_worker() -> None:
    by_queue: Any = {"a": {"paint": plain}, "b": {"wash": plain}}
    Worker(["a", "b"], by_queue=by_queue, isolation={"wash": "process"})

    with pytest.raises(OptionError, match="no handler for jobs named 'dry'"):
        Worker(["a", "b"], by_queue=by_queue, isolation={"dry": "process"})
