"""The program of a child: it runs one job after the other, in its main thread, until it is told to leave."""

from __future__ import annotations

import asyncio
import faulthandler
import inspect
import logging
import os
import pickle
import signal
import socket
import sys
from contextlib import suppress
from types import FrameType

from toril.core.payload import encode
from toril.core.worker.inject.injector import Injector
from toril.core.worker.isolation.calling import ChildHandler, ChildLoop
from toril.core.worker.isolation.channel import Channel
from toril.core.worker.isolation.failures import failure_of
from toril.core.worker.isolation.main_module import load_main
from toril.core.worker.isolation.messages import Done, Failed, NotReady, Ready, Setup
from toril.core.worker.isolation.running import Running
from toril.core.worker.memory import resident_bytes

_logger = logging.getLogger(__name__)


class Terminated(SystemExit):
    """The handler has not heeded that its job was cancelled."""


def main(pipe: int, will: int) -> None:
    """Serve the worker at the other end of a pipe.

    Args:
        pipe: A socket.
        will: A file for the last words, if the interpreter crashes.
    """
    for fd in (pipe, will):
        os.set_inheritable(fd, False)
    channel = Channel(socket.socket(fileno=pipe))
    _heed_only_the_worker(channel)
    faulthandler.enable(will)
    setup = channel.setup()
    with asyncio.Runner() as runner:
        try:
            child = Child(setup, channel, runner)
        except BaseException as error:
            channel.tell(NotReady(failure_of(error)))
            return
        channel.tell(Ready())
        # Whoever does not listen any more needs no answer.
        with suppress(ConnectionError):
            child.serve()


def _heed_only_the_worker(channel: Channel) -> None:
    """Signals are for the worker, which tells its children; a ``SIGTERM`` of its own follows a cancel."""

    def on_terminate(number: int, _frame: FrameType | None) -> None:
        running = channel.running
        if running is not None and running.told.cancelled and not running.done:
            raise Terminated(128 + number)

    signal.signal(signal.SIGTERM, on_terminate)
    # Not SIG_IGN, which the programs that handlers start would inherit.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)


class Child:
    """What a child has loaded, and how it runs jobs.

    Raises:
        BaseException: What the user's modules and hooks raise.
    """

    def __init__(self, setup: Setup, channel: Channel, runner: asyncio.Runner) -> None:
        sys.argv[:] = setup.argv
        if setup.main is not None:
            load_main(*setup.main)
        self._channel = channel
        self._setup = setup
        self._loop = ChildLoop(runner)
        overrides = {pickle.loads(make): pickle.loads(fake) for make, fake in setup.overrides}
        self._injector = Injector(overrides=overrides)
        self._handlers = [
            ChildHandler(pickle.loads(handler), self._injector, self._loop) for handler in setup.handlers
        ]
        self._left = setup.max_jobs
        self._call_hook(setup.on_start)
        self._loop.finish(self._injector.open())

    def serve(self) -> None:
        """Run jobs until there are to be no more."""
        while (running := self._channel.jobs.get()) is not None:
            reply = self._run(running)
            self._channel.end(running, reply)
            if reply.last:
                break
        self._loop.finish(self._injector.close())
        try:
            self._call_hook(self._setup.on_stop)
        except Exception:
            _logger.exception("on_child_stop failed")

    def _run(self, running: Running) -> Done | Failed:
        try:
            result = self._handlers[running.run.handler].run(running, self._channel)
            return Done(encode(result, "result").encode(), self._is_spent())
        except Terminated:
            raise
        except BaseException as error:
            return Failed(failure_of(error), self._is_spent())

    def _call_hook(self, pickled: bytes | None) -> None:
        given = pickle.loads(pickled)() if pickled is not None else None
        if inspect.isawaitable(given):
            self._loop.finish(given)

    def _is_spent(self) -> bool:
        """Whether this was its last job."""
        if self._left is not None:
            self._left -= 1
        most = self._setup.max_memory
        return self._left == 0 or (most is not None and resident_bytes() > most)
