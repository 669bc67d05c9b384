"""Another program that prints a line of JSON for each thing that happens in it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from subprocess import PIPE
from threading import Lock, Thread
from typing import Any

# Seconds for a program to do what it is asked.
PATIENCE = 8.0

Note = Mapping[str, Any]


class Program:
    """A running program, its notes, and the means to wait for them or to end it.

    It is bound to no event loop, so that one that is slow to start can serve many tests: a thread reads
    what it prints, and hands that over to the test that has it now.

    Attributes:
        notes: All that it has told the present test so far, in order.
    """

    def __init__(self, *command: str, **environment: str) -> None:
        self.notes: list[Note] = []
        self._process = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, env={**os.environ, **environment})
        self._told = asyncio.Event()
        self._ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handover = Lock()
        self._reader = Thread(target=self._read, name="notes", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._hand_over(json.loads(line))
        self._hand_over(None)

    def _hand_over(self, note: Note | None) -> None:
        with self._handover:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._take, note)

    def _take(self, note: Note | None) -> None:
        if note is None:
            self._ended = True
        else:
            self.notes.append(note)
        self._told.set()

    def attach(self) -> None:
        """The running loop gets the notes from now on."""
        self.notes = []
        self._told = asyncio.Event()
        with self._handover:
            self._loop = asyncio.get_running_loop()

    def detach(self) -> None:
        """Nobody gets the notes from now on."""
        with self._handover:
            self._loop = None

    @property
    def lives(self) -> bool:
        """Whether it has not come to its end."""
        return self._process.poll() is None

    def send(self, line: Note) -> None:
        """Write a line to its input."""
        assert self._process.stdin
        self._process.stdin.write(f"{json.dumps(line)}\n".encode())
        self._process.stdin.flush()

    def noted(self, **wanted: object) -> list[Note]:
        """The notes that have all these values."""
        return [note for note in self.notes if all(note.get(key) == value for key, value in wanted.items())]

    async def note(self, **wanted: object) -> Note:
        """The first note that has all these values, as soon as it is there."""
        return (await self.notes_of(1, **wanted))[0]

    async def notes_of(self, count: int, **wanted: object) -> list[Note]:
        """The notes that have all these values, as soon as there are so many."""
        await self.until(lambda: len(self.noted(**wanted)) >= count, f"{count} of {wanted}")
        return self.noted(**wanted)

    async def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Look again after each line, until it is so.

        Raises:
            AssertionError: It was not so in time, or the program came to its end.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                while not is_so() and not self._ended:
                    self._told.clear()
                    await self._told.wait()
        except TimeoutError:
            raise AssertionError(f"waited in vain for {what}; there were {self.notes[-20:]}") from None
        assert is_so(), f"the program ended before {what}; there were {self.notes[-20:]}"

    def kill(self) -> None:
        """End it so that it can do nothing about it."""
        self._process.kill()
        assert self._process.wait(PATIENCE) == -signal.SIGKILL

    def end(self) -> None:
        """See to it that nothing is left of it; it may have ended already."""
        self.detach()
        self._process.kill()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
