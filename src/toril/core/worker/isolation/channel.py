"""A child's end of the pipe: a thread reads it, any thread may ask and tell."""

from __future__ import annotations

import itertools
import os
import pickle
import signal
import socket
import threading
import time
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

from toril.core.worker.isolation.failures import error_of
from toril.core.worker.isolation.messages import (
    Answer,
    Ask,
    Cancel,
    Done,
    Failed,
    Inbox,
    Late,
    Run,
    Setup,
    packed,
)
from toril.core.worker.isolation.running import Running
from toril.errors import ChildProcessDied, JobNotInState, SoftTimeout

_CHUNK = 65536
_ORPHANED = "the worker of this child process is closing, or gone"


class Channel:
    """Messages from and to the worker.

    Attributes:
        jobs: What the worker wants to be run; ``None`` when the child shall leave.
        running: The job that came last.
    """

    def __init__(self, pipe: socket.socket) -> None:
        self._pipe = pipe
        self._inbox = Inbox()
        self._writing = threading.Lock()
        self._numbers = itertools.count()
        self._ended = False
        self._asked: dict[int, Future[Answer]] = {}
        self.jobs: SimpleQueue[Running | None] = SimpleQueue()
        self.running: Running | None = None

    def setup(self) -> Setup:
        """Wait for the first message, and read on in a thread of its own from there."""
        while True:
            for message in self._inbox.feed(self._received()):
                threading.Thread(
                    target=self._read, args=(message.grace,), name="toril-pipe", daemon=True
                ).start()
                return message

    def _received(self) -> bytes:
        data = self._pipe.recv(_CHUNK)
        if not data:
            raise EOFError("the worker is gone")
        return data

    def _read(self, grace: float) -> None:
        """Read until the worker closes its end, or is gone; then the child has so many seconds left."""
        try:
            # What came together with the first message is there already.
            data = b""
            while True:
                for message in self._inbox.feed(data):
                    self._take(message)
                data = self._received()
        except (EOFError, OSError):
            self._end(grace)

    def _take(self, message: Run | Cancel | Late | Answer) -> None:
        match message:
            case Run():
                self.running = Running(message)
                self.jobs.put(self.running)
            case Cancel():
                if self.running is not None:
                    self.running.cancel()
            case Late(text):
                if self.running is not None:
                    self.running.hurry(SoftTimeout(text))
            case Answer():
                self._asked.pop(message.number).set_result(message)

    def _end(self, grace: float) -> None:
        self._ended = True
        self.jobs.put(None)
        if self.running is not None:
            self.running.cancel()
        for asked in list(self._asked.values()):
            asked.set_exception(ChildProcessDied(_ORPHANED))
        time.sleep(grace)
        # The child leads a group of its own: what its handlers have started goes with it.
        os.killpg(os.getpgrp(), signal.SIGKILL)

    def tell(self, message: tuple[Any, ...]) -> None:
        """Send a message."""
        data = packed(message)
        with self._writing:
            self._pipe.sendall(data)

    def end(self, running: Running, ending: Done | Failed) -> None:
        """Tell how a job has ended; nothing is asked of it from then on."""
        data = packed(ending)
        with self._writing:
            running.done = True
            self._pipe.sendall(data)

    def ask(
        self, running: Running, verb: str, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Future[Answer]:
        """Have the worker carry out a verb of the job that runs.

        Raises:
            JobNotInState: The job has ended. What its handler left running is no part of the next job.
            ChildProcessDied: The worker does not listen any more.
            Exception: An argument can't be pickled.
        """
        number = next(self._numbers)
        data = packed(Ask(number, verb, pickle.dumps((args, options))))
        asked: Future[Answer] = Future()
        # Who awaits it may be cancelled; the answer comes all the same.
        asked.set_running_or_notify_cancel()
        with self._writing:
            if running.done:
                raise _too_late(running.run, verb)
            self._asked[number] = asked
            if self._ended:
                raise ChildProcessDied(_ORPHANED)
            self._pipe.sendall(data)
        return asked


def _too_late(run: Run, verb: str) -> JobNotInState:
    text = f"the handler of job {run.id} has ended; what it starts beside itself must end before it does"
    return JobNotInState(text, queue=run.queue, job_id=run.id, verb=verb)


def value_of(answer: Answer) -> Any:
    """What the verb has answered; raises what it has raised."""
    if answer.failure is not None:
        raise error_of(answer.failure)
    return answer.value
