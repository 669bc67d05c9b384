"""The slots of a worker: long-lived tasks that run one job after the other, since a task a job costs more."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from toril.core.job import Job

# A slot that runs jobs without ever waiting lets others have the loop after so many seconds.
_TURN = 0.001
# A slot that finds more jobs wakes so many others; doubling reaches all of them in few turns of the loop.
_WAKE = 2
#: Seconds that handlers, and other code of the user's, have for their last words when cancelled.
LAST_WORDS = 5.0


class Slots:
    """Runs the jobs it is given, many at once. Who gives them sees to it that they are not too many.

    Args:
        last_words: Seconds that cancelled handlers have at most.

    Attributes:
        run: Runs one job; it never raises. To be set before jobs are given.
        all_started: Called when no job that was given is left for a slot to get to.
        go_on: Called when a job has been run; answers what its slot shall wait for before the next one, if
            anything. To be set before jobs are given.
        running: Jobs that are run now, each with its slot's task.
        stopping: Whether what runs is being cancelled.
    """

    run: Callable[[Job], Awaitable[None]]
    all_started: Callable[[], None]
    go_on: Callable[[Job], Awaitable[None] | None]

    def __init__(self, last_words: float = LAST_WORDS) -> None:
        self._last_words = last_words
        self._inbox: deque[Job] = deque()
        self._resting: deque[asyncio.Future[None]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._given_up: set[asyncio.Task[Any]] = set()
        self.running: dict[Job, asyncio.Task[Any]] = {}
        self.stopping: bool = False

    @property
    def behind(self) -> bool:
        """Whether there are jobs that no slot has got to yet."""
        return bool(self._inbox)

    def give(self, jobs: Iterable[Job]) -> None:
        """Jobs to run as soon as slots get to them."""
        self._inbox.extend(jobs)
        self._wake()

    def _wake(self) -> None:
        """Wake some resting slots, or make them; they wake the others that are needed."""
        for _ in range(min(_WAKE, len(self._inbox))):
            while self._resting:
                rest = self._resting.popleft()
                if not rest.done():
                    rest.set_result(None)
                    break
            else:
                # A job at work for each slot: one more is needed only for what is in the inbox.
                if len(self._tasks) < len(self.running) + len(self._inbox):
                    task = asyncio.create_task(self._slot())
                    self._tasks.add(task)
                    task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A slot is gone: what it was woken for is for another one."""
        self._tasks.discard(task)
        if not self.stopping:
            self._wake()

    async def _slot(self) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        turn_ends = loop.time() + _TURN
        while not self.stopping:
            if not self._inbox:
                rest: asyncio.Future[None] = loop.create_future()
                self._resting.append(rest)
                await rest
                turn_ends = loop.time() + _TURN
                continue
            job = self._inbox.popleft()
            self.running[job] = task
            if self._inbox:
                self._wake()
            else:
                self.all_started()
            await self.run(job)
            if self.running.pop(job, None) is None:
                # The slot was given up.
                return
            if task.cancelling():
                await _forget_cancels(task)
            before_next = self.go_on(job)
            if before_next is None:
                if not self._inbox or loop.time() <= turn_ends:
                    continue
                before_next = asyncio.sleep(0)
            await before_next
            turn_ends = loop.time() + _TURN

    def give_up(self, job: Job) -> None:
        """Let another slot take the place of one whose handler goes on and on."""
        task = self.running.pop(job)
        self._tasks.discard(task)
        self._given_up.add(task)
        task.add_done_callback(self._given_up.discard)

    def find(self, id: str, token: str) -> Job | None:
        """The job of this id that was taken with this token, running or given."""
        jobs = (*self.running, *self._inbox)
        return next((job for job in jobs if job.id == id and job.token == token), None)

    async def stop(self) -> list[Job]:
        """Cancel what runs; answers the jobs that came to no end, started or not.

        A handler that answers its cancellation by returning has come to an end. One that goes on is not
        waited for longer than some seconds.
        """
        self.stopping = True
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=self._last_words)
        unfinished = [*self.running, *self._inbox]
        self._inbox.clear()
        self.running.clear()
        return unfinished


async def _forget_cancels(task: asyncio.Task[Any]) -> None:
    """Handlers that cancel their own task cancel a slot; the jobs after it shall not notice."""
    theirs = task.cancelling()
    with suppress(asyncio.CancelledError):
        # What no wait has raised so far, the next one would.
        await asyncio.sleep(0)
    is_meant = task.cancelling() > theirs
    while task.cancelling():
        task.uncancel()
    if is_meant:
        task.cancel()
