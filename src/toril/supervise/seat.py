"""A seat: there is always a process in it. When one leaves, the next one is started."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from toril.supervise.child import Child
from toril.supervise.link import Report
from toril.supervise.pages import View
from toril.supervise.plan import Exit, Plan

_logger = logging.getLogger("toril.supervisor")

# Seconds until a process that could not start is started again: doubled each time, up to the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
# Ends that waiting does not help against.
_HOPELESS = (Exit.USAGE, Exit.UNAVAILABLE)
# Seconds beyond its grace until a process that was told to leave is killed.
_LAST_WORDS = 15.0


class Seat:
    """Keeps one process running.

    Args:
        plan: What to run, and how.
        number: Of the process.
        hear: Hears what the process reports.
        hopeful: Whether processes of this plan were ready before: one that can't start is tried again.

    Attributes:
        number: Of the process.
        view: What is known of the process.
        restarts: How often one was started because the one before had left by itself.
    """

    def __init__(
        self, plan: Plan, number: int, hear: Callable[[Report], None], *, hopeful: bool = False
    ) -> None:
        self.number = number
        self.view: View = View(number)
        self.restarts: int = 0
        self._plan = plan
        self._hear = hear
        self._child: Child | None = None
        # The one that is to take over.
        self._next: Child | None = None
        # Those that leave, and the tasks that see to it.
        self._leaving: dict[Child, asyncio.Task[int]] = {}
        self._stopping = False
        self._hopeful = hopeful
        self._nudge = asyncio.Event()

    @property
    def held(self) -> int:
        """Jobs that its process has taken and not settled yet, as far as is known."""
        return sum(worker.held for worker in self.view.workers)

    async def keep(self) -> int:
        """Keep a process running until stopped, drained, or there is no hope; answers the exit code."""
        pause = _FIRST_PAUSE
        while not self._stopping:
            try:
                child = await self._seated()
            except OSError as error:
                # No room for another process or file: that passes.
                pause = await self._wait("no process could be started", pause, error=str(error))
                continue
            await child.leaving.wait()
            if self._child is not child:
                continue
            self._child = None
            self.view.lost()
            if child.drained:
                break
            if child.ready:
                self.restarts += 1
                self._see_off(child)
            if child.ready and not child.crashed_early:
                pause = _FIRST_PAUSE
                continue
            code = await child.ended()
            if code in _HOPELESS and not self._hopeful and not self._plan.reload:
                return code
            pause = await self._wait_after(child, code, pause)
        await asyncio.gather(*self._leaving.values())
        return Exit.DONE

    async def _seated(self) -> Child:
        if self._child is None:
            child = await self._start()
            if self._child is None:
                self._child = child
            else:
                # Meanwhile `replace` has put another one here.
                self._see_off(child)
                child.stop()
        return self._child

    async def _start(self) -> Child:
        def hear(report: Report) -> None:
            self._hopeful = self._hopeful or report.kind == "ready"
            if child not in self._leaving:
                self.view.hear(report)
            self._hear(report)

        child = await Child.start(self._plan, self.number, hear)
        if self._stopping:
            self._see_off(child)
            child.stop()
        return child

    async def _wait_after(self, child: Child, code: int, pause: float) -> float:
        if self._stopping:
            return pause
        if self._plan.reload and not child.ready:
            self._nudge.clear()
            _logger.warning("the start failed; waiting for the next save")
            await self._nudge.wait()
            return pause
        what = "a process ended soon after its start" if child.ready else "the start of a process failed"
        return await self._wait(what, pause, exit_code=code)

    async def _wait(self, what: str, pause: float, **facts: object) -> float:
        """Wait before the next start; answers how long to wait before the one after it."""
        self._nudge.clear()
        _logger.error(what, extra={"number": self.number, **facts, "again_in": pause})
        with suppress(TimeoutError):
            await asyncio.wait_for(self._nudge.wait(), pause)
        return min(2 * pause, _LONGEST_PAUSE)

    def _see_off(self, child: Child) -> None:
        """Let one that leaves do so, but not for ever."""
        if child not in self._leaving:
            task = self._leaving[child] = asyncio.create_task(self._gone(child))
            task.add_done_callback(lambda _: self._leaving.pop(child))

    async def _gone(self, child: Child) -> int:
        facts = {"number": self.number, "pid": child.pid}
        try:
            code = await asyncio.wait_for(child.ended(), self._plan.grace + _LAST_WORDS)
        except TimeoutError:
            _logger.error("a process does not leave; it is killed", extra=facts)
            child.kill()
            return await child.ended()
        if code and not self._stopping:
            _logger.error("a process ended", extra={**facts, "exit_code": code})
        return code

    async def replace(self) -> bool:
        """Start another process, and let the one there is leave once the other is ready.

        Returns:
            Whether the other one is ready; else all goes on as before.
        """
        self._nudge.set()
        if self._child is None:
            return True
        try:
            new = self._next = await self._start()
        except OSError as error:
            return self._keep_old(error=str(error))
        await new.decided.wait()
        self._next = None
        if not new.ready:
            return self._keep_old(exit_code=await new.ended())
        old = self._seat(new)
        if old is not None:
            self._see_off(old)
            old.stop()
            # Who waits for it finds that there is another one.
            old.leaving.set()
            await old.ended()
        return True

    def _keep_old(self, **facts: object) -> bool:
        if not self._stopping:
            facts["number"] = self.number
            _logger.error("the new process could not start; the old one goes on", extra=facts)
        return False

    def _seat(self, child: Child) -> Child | None:
        """Seat a process; answers the one that was there, which may have left meanwhile."""
        before, self._child = self._child, child
        return before

    def restart(self) -> None:
        """Let the process leave, and start another one then; for development."""
        self._nudge.set()
        if self._child is not None:
            self._child.stop()

    def stop(self, *, now: bool = False) -> None:
        """Let all processes leave in order; or, if they were told before, ``now``."""
        self._stopping = True
        self._nudge.set()
        for child in (self._child, self._next):
            if child is not None:
                self._see_off(child)
        for child in self._leaving:
            child.stop(now=now)
