"""A child process as its worker sees it: warm, and running one job at a time."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import signal
import socket
import sys
from contextlib import suppress
from typing import Any, cast

import msgspec

from toril.core.job import Job
from toril.core.worker.isolation.failures import error_of, failure_of
from toril.core.worker.isolation.messages import (
    Answer,
    Ask,
    Cancel,
    Done,
    Failed,
    Garbled,
    Inbox,
    Late,
    NotReady,
    Ready,
    Run,
    packed,
)
from toril.core.worker.isolation.obituary import Will, obituary, stillborn
from toril.core.worker.isolation.options import LAST_CHANCE
from toril.errors import ChildProcessDied, SoftTimeout

# The child finds what its worker finds, whatever has changed that path since the start.
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[3]); "
    "from toril.core.worker.isolation.child import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)
# Seconds for the last bytes of a child that has ended. What it has started may hold its pipe open.
_LAST_BYTES = 0.2


class ChildProcess(asyncio.Protocol):
    """A child process.

    Attributes:
        ended: Set when the process is gone.
        usable: Whether it can run another job.
        started: Whether it has ever been ready.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox()
        self._will: Will | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._pipe: asyncio.Transport | None = None
        self._end: socket.socket | None = None
        self._silent = self._loop.create_future()
        self._starting: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._carrying: set[asyncio.Task[None]] = set()
        self._job: Job | None = None
        self._reply: asyncio.Future[Done | Failed | ChildProcessDied] | None = None
        self._obituary: ChildProcessDied | None = None
        self._killer: asyncio.TimerHandle | None = None
        self._ready = asyncio.Event()
        self.ended: asyncio.Event = asyncio.Event()
        self.usable: bool = True
        self.started: bool = False

    def start(self, setup: bytes) -> None:
        """Start the process, in the background: who does not want its job any more leaves it for others.

        Args:
            setup: Its first message.
        """
        self._starting = asyncio.create_task(self._begin(setup))

    async def _begin(self, setup: bytes) -> None:
        try:
            await self._start(setup)
        except Exception as error:
            # The system has no room for it, most likely. Whatever it is: somebody waits.
            self.usable = False
            self._obituary = ChildProcessDied(f"a child process could not start: {error}")
            self._ready.set()
        finally:
            if self._watching is None:
                # There never was a process, or it is gone again.
                self.ended.set()

    async def _start(self, setup: bytes) -> None:
        # Python itself passes over what is no text.
        modules = json.dumps([each for each in cast("list[object]", sys.path) if isinstance(each, str)])
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._will = Will()
                passed = (theirs.fileno(), self._will.file)
                process = self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-c", _PROGRAM, *map(str, passed), modules),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=passed,
                    # What a terminal sends to all that it has started goes to the worker alone.
                    start_new_session=True,
                )
            self._watching = asyncio.create_task(self._watch(process, self._will))
            await self._loop.create_unix_connection(lambda: self, sock=ours)
            self._end = ours
        except BaseException:
            ours.close()
            self.kill()
            if self._watching is None and self._will is not None:
                self._will.read()
            raise
        self._write(setup)
        if not self.usable:
            # Told to leave meanwhile.
            self.leave()

    # --- the pipe ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The pipe can be written to."""
        self._pipe = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """The child says something."""
        try:
            for message in self._inbox.feed(data):
                self._hear(message)
        except Garbled as error:
            self._give_up(f"has written into the pipe of its worker what is no message ({error})")

    @property
    def listens(self) -> bool:
        """Whether the other end of the pipe is open: here that is seen before anybody tells of it."""
        if self._end is None:
            return self.usable
        try:
            return self._end.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The child will say nothing more."""
        self._silent.set_result(exc)

    def eof_received(self) -> None:
        """The child has ended, or lost its pipe, without which it is of no use."""
        if self.usable:
            self._loop.call_later(LAST_CHANCE, self._give_up, "has closed the pipe to its worker")

    def _write(self, data: bytes) -> None:
        if self._pipe is not None and self._killer is None and not self._pipe.is_closing():
            self._pipe.write(data)

    def _hear(self, message: object) -> None:
        match message:
            case Ready():
                self.started = True
                self._ready.set()
            case NotReady(failure):
                self._obituary = stillborn(failure)
                self.leave()
            case Ask() if self._job is not None:
                task = asyncio.create_task(self._carry_out(message, self._job))
                self._carrying.add(task)
                task.add_done_callback(self._carrying.discard)
            case Done() | Failed():
                if message.last:
                    self.leave()
                self._answer(message)
            case _:
                raise Garbled(f"a {type(message).__name__}")

    async def _carry_out(self, ask: Ask, job: Job) -> None:
        """Do what the handler asks of its job, and tell it what became of that."""
        before, value, failure = dict(job.fields), None, None
        try:
            args, options = pickle.loads(ask.arguments)
            value = await getattr(job, ask.verb)(*args, **options)
        except Exception as error:
            # How we got here is of no interest to the handler.
            failure = failure_of(error)._replace(stack="")
        fields = None if job.fields == before else job.fields
        self._write(packed(Answer(ask.number, value, failure, fields)))

    # --- a job ---

    async def run(self, handler: int, job: Job, late: SoftTimeout | None = None) -> Any:
        """Run a job; answers what its handler returns, raises what it raises.

        A soft timeout that came in the wait before this (``late``), or comes before the child is ready, is
        handed on to the handler. Returns, even if cancelled, when the child is getting ready, idle, or gone;
        only who is cancelled once more while the handler still has time to end does not wait for it, but
        kills the child.

        Raises:
            ChildProcessDied: The child did.
        """
        if not self.started:
            late = await self._getting_ready() or late
        reply = self._reply = self._loop.create_future()
        self._job = job
        if self._obituary is not None:
            reply.set_result(self._obituary)
        self._write(packed(Run(handler, job.prefix, job.queue_name, job.id, job.fields, job.token)))
        if late is not None:
            self._write(packed(Late(str(late))))
        try:
            ending = await self._heard(reply)
        except asyncio.CancelledError:
            self._write(packed(Cancel()))
            await self._end_of(reply)
            ending = reply.result()
            if isinstance(ending, ChildProcessDied):
                raise
        if isinstance(ending, Done):
            return msgspec.json.decode(ending.result)
        raise ending if isinstance(ending, ChildProcessDied) else error_of(ending.failure)

    async def _getting_ready(self) -> SoftTimeout | None:
        """Wait until the child is ready, or gone; answers a soft timeout that is yet to be heard."""
        late: SoftTimeout | None = None
        while not self._ready.is_set():
            try:
                await self._ready.wait()
            except SoftTimeout as error:
                late = error
        return late

    async def _heard(self, reply: asyncio.Future[Any]) -> Any:
        """Wait for the handler's end; a soft timeout is handed on to it."""
        try:
            return await asyncio.shield(reply)
        except SoftTimeout as late:
            self._write(packed(Late(str(late))))
        return await asyncio.shield(reply)

    async def _end_of(self, reply: asyncio.Future[Any]) -> None:
        """Wait until the cancelled handler has ended, in a good way or a bad one."""
        try:
            for seconds, number in ((self._grace, signal.SIGTERM), (LAST_CHANCE, signal.SIGKILL)):
                if (await asyncio.wait([reply], timeout=seconds))[0]:
                    return
                self._send(number)
            await asyncio.wait([reply])
        except asyncio.CancelledError:
            self.kill()
            raise

    def _answer(self, ending: Done | Failed | ChildProcessDied) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(ending)

    # --- its end ---

    def leave(self) -> None:
        """Let the child go, and see to it that it does."""
        self.usable = False
        if self._killer is None and self._pipe is not None and not self._pipe.is_closing():
            self._pipe.write_eof()
            self._killer = self._loop.call_later(self._grace + LAST_CHANCE, self.kill)

    def kill(self) -> None:
        """End the child, and what its handlers have started."""
        self.usable = False
        self._send(signal.SIGKILL)

    def _give_up(self, deed: str) -> None:
        if not self.ended.is_set() and self._obituary is None:
            self._obituary = ChildProcessDied(f"the child process {deed}, and was killed", pid=self.pid)
        self.kill()

    @property
    def pid(self) -> int | None:
        """The id of the process; ``None`` if it could not be started."""
        return self._process.pid if self._process is not None else None

    def _send(self, number: signal.Signals) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        if number == signal.SIGKILL:
            _kill_group(self._process.pid)
            return
        with suppress(ProcessLookupError, PermissionError):
            self._process.send_signal(number)

    async def _watch(self, process: asyncio.subprocess.Process, will: Will) -> None:
        code = await process.wait()
        self.usable = False
        if self._reply is not None and not self._reply.done():
            # It came to no end of its job, and so did what the handler has started for it.
            _kill_group(process.pid)
        await asyncio.wait([self._silent], timeout=_LAST_BYTES)
        if self._pipe is not None:
            self._pipe.close()
        if self._killer is not None:
            self._killer.cancel()
        died = obituary(process.pid, code, will.read(), started=self.started)
        self._obituary = self._obituary or died
        self._answer(self._obituary)
        for task in self._carrying:
            task.cancel()
        self._ready.set()
        self.ended.set()


def _kill_group(pid: int) -> None:
    """Kill what is left of a child and of what it has started: a child leads a group of its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
