"""The supervisor: keeps as many processes as it should, tells how they are, replaces them on demand."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections import deque
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from importlib import import_module
from itertools import count
from pathlib import Path

from toril.errors import OptionError
from toril.model.autoscale import LOOKS, Sample, decide
from toril.model.duration import to_ms
from toril.supervise.banner import Banner
from toril.supervise.health import Page, health_server
from toril.supervise.link import Report
from toril.supervise.load import together
from toril.supervise.logs import set_up_logs
from toril.supervise.pages import page_of
from toril.supervise.plan import Exit, Plan
from toril.supervise.process import complain
from toril.supervise.seat import Seat

_logger = logging.getLogger("toril.supervisor")

# Changes of files within so many ms of each other are one save: some programs write in several steps.
_ONE_SAVE_MS = 150


def supervise(plan: Plan) -> int:
    """Keep processes running until told to stop; answers the exit code.

    SIGTERM and SIGINT stop all of them in order, a second one at once. SIGHUP replaces them, one at a time.
    """
    set_up_logs(plan.log_level, plan.log_format, None)
    try:
        return asyncio.run(Supervisor(plan).run())
    except OptionError as error:
        complain(f"toril: {error}")
        return Exit.USAGE


class Supervisor:
    """Keeps the processes of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._banner = Banner(plan)
        self._seats: list[Seat] = []
        # All that have processes: also those that were given up, until the last process has left.
        self._keeping: dict[asyncio.Task[int], Seat] = {}
        self._changing = asyncio.Lock()
        self._hopeful = False
        self._stopping = False
        self._restarts = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Run until all seats are given up; answers the worst of their exit codes."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        async with AsyncExitStack() as stack:
            if self._plan.health is not None:
                self._banner.health = await stack.enter_async_context(
                    health_server(self._plan.health, self._answer)
                )
            if self._plan.reload:
                self._begin(self._reload())
            self._have(self._plan.scale.min)
            if self._plan.scales:
                self._begin(self._follow())
            try:
                return await self._kept()
            finally:
                for task in self._tasks:
                    task.cancel()

    def _answer(self, path: str) -> Page:
        restarts = self._restarts + sum(seat.restarts for seat in self._seats)
        return page_of(path, [seat.view for seat in self._seats], restarts)

    async def _kept(self) -> int:
        """Wait until all seats are given up; answers the worst of their exit codes."""
        worst = 0
        while self._keeping:
            done, _ = await asyncio.wait(self._keeping, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                del self._keeping[task]
                worst = max(worst, task.result())
        return worst

    async def _keep(self, seat: Seat) -> int:
        code = await seat.keep()
        if code and not self._stopping:
            # What one can't do the others can't do either.
            self.stop()
        return code

    def _hear(self, report: Report) -> None:
        if report.kind == "ready":
            self._hopeful = True
            self._banner.show(report)

    # --- how many there are ---

    def _have(self, wanted: int) -> None:
        """Keep so many processes from now on; those with the least to do leave."""
        while len(self._seats) < wanted:
            taken = {seat.number for seat in self._keeping.values()}
            number = next(number for number in count(1) if number not in taken)
            seat = Seat(self._plan, number, self._hear, hopeful=self._hopeful)
            self._seats.append(seat)
            self._keeping[asyncio.create_task(self._keep(seat))] = seat
        while len(self._seats) > wanted:
            idlest = min(reversed(self._seats), key=lambda seat: seat.held)
            self._seats.remove(idlest)
            self._restarts += idlest.restarts
            idlest.stop()

    async def _follow(self) -> None:
        """Have as many processes as the work asks for."""
        scale = self._plan.scale
        samples: deque[Sample] = deque(maxlen=LOOKS)
        while not self._stopping:
            await asyncio.sleep(to_ms(scale.interval, "interval") / 1000)
            async with self._changing:
                samples.append(together([seat.view.loads for seat in self._seats]))
                before, wanted = len(self._seats), decide(scale, len(self._seats), samples)
                if wanted != before and not self._stopping:
                    self._have(wanted)
                    samples.clear()
                    _logger.info("scaled", extra={"processes": wanted, "before": before})

    # --- on demand ---

    def _begin(self, duty: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(duty)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Stop all processes in order; called again, at once."""
        _logger.info("stopping at once" if self._stopping else "stopping")
        for seat in self._keeping.values():
            seat.stop(now=self._stopping)
        self._stopping = True

    def _on_hangup(self) -> None:
        self._begin(self._replace())

    async def _replace(self) -> None:
        """Replace the processes, one at a time; if the first can't be replaced the others are not tried."""
        async with self._changing:
            for seat in self._seats:
                if not await seat.replace():
                    return
            _logger.info("all processes were replaced")

    async def _reload(self) -> None:
        """Start anew whenever a Python file of the working folder was saved."""
        # By name, since it is loaded for this only.
        watchfiles = import_module("watchfiles")
        # It tells of each change by itself, and at times that there was none.
        logging.getLogger("watchfiles").setLevel(logging.WARNING)
        only_python = watchfiles.PythonFilter()
        async for changes in watchfiles.awatch(Path.cwd(), watch_filter=only_python, step=_ONE_SAVE_MS):
            names = sorted(Path(name).name for _, name in changes)
            _logger.info("reloading", extra={"saved": ", ".join(names)})
            for seat in self._seats:
                seat.restart()
