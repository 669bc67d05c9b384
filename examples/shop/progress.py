"""How far the shop is: asked of the queues, and told by the worker process."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from examples.shop.display import Board, Line, View, Weight
from examples.shop.problem import Problem
from toril import Queue

# Seconds between two looks at the queues, and those over which the throughput is taken.
_LOOK, _SPAN = 0.2, 2.0
# Seconds in which nothing at all has happened, after which nothing will.
_STUCK = 60.0


@dataclass(slots=True)
class Work:
    """A queue, and how many jobs it has to get done."""

    queue: Queue
    total: int


class Progress:
    """Follows the queues until all is done.

    Args:
        works: The queues, by their names.
        board: Where it is shown.
    """

    def __init__(self, works: Mapping[str, Work], board: Board) -> None:
        self._works = works
        self._board = board
        self._failed_attempts: Counter[str] = Counter()
        self._history: dict[str, deque[tuple[float, int]]] = {name: deque() for name in works}
        self._began = self._moved = time.monotonic()
        self._worker = "starts"

    def told(self, event: Mapping[str, Any]) -> None:
        """What the worker process tells, or what is told of it."""
        match event["event"]:
            case "started":
                self._worker = f"process {event['pid']}"
                self._board.note(f"worker process {event['pid']} started", Weight.MIDDLE)
            case "died":
                self._worker = "starts again"
                self._board.note(f"worker process {event['pid']} died ({event['code']})", Weight.MIDDLE)
            case "stalled":
                self._board.note(f"{event['job']}: found again, its worker is gone", Weight.MIDDLE)
            case "failed":
                self._failed_attempts[event["queue"]] += 1
                if event["final"]:
                    self._board.note(f"{event['job']} failed for good: {event['reason']}", Weight.HEAVY)
                else:
                    self._board.note(f"{event['job']} failed ({event['attempts']}): {event['reason']}")
            case _:
                pass

    async def until_done(self, on_half: Callable[[], None] | None = None) -> float:
        """Show how it goes until no job is left; answers how many seconds it took.

        Args:
            on_half: Called once, when half of the receipts are sent.

        Raises:
            Problem: Nothing happens any more.
        """
        while True:
            view = await self._look()
            self._board.show(view)
            if all(line.finished == line.total for line in view.lines):
                return view.seconds
            if on_half is not None and 2 * view.lines[0].finished >= view.lines[0].total:
                on_half()
                on_half = None
            if time.monotonic() - self._moved > _STUCK:
                raise Problem(f"nothing has happened for {_STUCK:g} s")
            await asyncio.sleep(_LOOK)

    async def _look(self) -> View:
        lines = [await self._line(name, work) for name, work in self._works.items()]
        return View(time.monotonic() - self._began, self._worker, lines)

    async def _line(self, name: str, work: Work) -> Line:
        counts = await work.queue.get_job_counts()
        retries = max(self._failed_attempts[name] - counts["failed"], 0)
        line = Line(name, work.total, counts, retries, 0.0)
        history, now = self._history[name], time.monotonic()
        if not history or history[-1][1] != line.finished:
            self._moved = now
        history.append((now, line.finished))
        while now - history[0][0] > _SPAN:
            history.popleft()
        since, before = history[0]
        line.rate = (line.finished - before) / (now - since) if now > since else 0.0
        return line
