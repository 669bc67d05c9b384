"""What is said at the start: what runs, on which server, for which queues."""

from __future__ import annotations

import logging
import sys

from toril._version import __version__
from toril.supervise.link import Report
from toril.supervise.plan import Plan

_logger = logging.getLogger("toril.worker")


class Banner:
    """Says once what was started.

    Attributes:
        health: URL of the health server, if there is one.
    """

    def __init__(self, plan: Plan) -> None:
        self.health: str | None = None
        self._plan = plan
        self._shown = False

    def show(self, report: Report) -> None:
        """Say it, when the first process is ready: as lines for people, or in one of the log."""
        if self._shown:
            return
        self._shown = True
        queues = {name: worker.slots for worker in report.workers for name in worker.queues}
        facts: dict[str, object] = {
            "version": __version__,
            "target": self._plan.target,
            "servers": report.servers,
            "queues": queues,
            "processes": self._plan.scale.min,
            "most_processes": self._plan.scale.max,
            "health": self.health,
        }
        if self._plan.log_format == "json":
            _logger.info("started", extra=facts)
        else:
            sys.stderr.write("".join(f"{line}\n" for line in self._lines(report, queues)))

    def _lines(self, report: Report, queues: dict[str, int]) -> list[str]:
        rows = [("server", server) for server in report.servers if server]
        rows += [("queue", f"{name}, concurrency {slots}") for name, slots in queues.items()]
        if self._plan.supervised:
            rows.append(("processes", self._processes()))
        if self.health is not None:
            rows.append(("health", f"{self.health}/live, /ready, /metrics"))
        rows.append(("stop", "Ctrl-C; twice stops at once"))
        return [f"toril {__version__}, {self._plan.target}", *(f"  {name:10} {text}" for name, text in rows)]

    def _processes(self) -> str:
        scale = self._plan.scale
        return f"{scale.min} to {scale.max}, as the work asks for" if self._plan.scales else str(scale.min)
