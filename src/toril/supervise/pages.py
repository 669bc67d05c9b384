"""What is answered to probes and to Prometheus, from what processes told last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from toril.model.autoscale import Sample
from toril.model.worker_status import WorkerStatus
from toril.supervise.health import Page
from toril.supervise.link import Report

_PAGES = "there are /live, /ready and /metrics\n"

# Of each worker: name, type, help, value.
_OF_WORKERS: tuple[tuple[str, str, str, Callable[[WorkerStatus], float]], ...] = (
    ("toril_worker_completed_total", "counter", "Jobs completed", lambda one: one.completed),
    ("toril_worker_failed_total", "counter", "Attempts failed", lambda one: one.failed),
    ("toril_worker_held_jobs", "gauge", "Jobs taken and not settled yet", lambda one: one.held),
    ("toril_worker_slots", "gauge", "Jobs that may run at once", lambda one: one.slots),
    (
        "toril_worker_loop_lag_seconds",
        "gauge",
        "Worst lag of the event loop, of late",
        lambda one: one.loop_lag,
    ),
    ("toril_worker_healthy", "gauge", "Whether the server answers", lambda one: one.health == "healthy"),
)


class View:
    """What is known of one process.

    Attributes:
        number: Of the process.
        ready: Whether all its workers were started.
        workers: How they are.
        loads: How much they have to do; empty if that is not known.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.ready: bool = False
        self.workers: list[WorkerStatus] = []
        self.loads: list[Sample] = []

    def hear(self, report: Report) -> None:
        """It told how it is. One that leaves is not ready any more."""
        self.workers = report.workers
        self.ready = report.kind in ("ready", "status") and (self.ready or report.kind == "ready")
        self.loads = report.loads if self.ready else []

    def lost(self) -> None:
        """It is gone."""
        self.ready, self.workers, self.loads = False, [], []

    @property
    def trouble(self) -> str:
        """Why it is not ready; an empty text if it is."""
        if not self.ready:
            return f"process {self.number} is not ready"
        ill = [f"{'+'.join(one.queues)}: {one.health}" for one in self.workers if one.health != "healthy"]
        return f"process {self.number}: {'; '.join(ill)}" if ill else ""


def page_of(path: str, views: Sequence[View], restarts: int) -> Page:
    """The answer for a path."""
    match path:
        case "/live":
            return Page(200, "live\n")
        case "/ready":
            troubles = [view.trouble for view in views if view.trouble]
            return Page(503, "\n".join(troubles) + "\n") if troubles else Page(200, "ready\n")
        case "/metrics":
            return Page(200, "\n".join(_metrics(views, restarts)) + "\n")
        case _:
            return Page(404, _PAGES)


def _metrics(views: Sequence[View], restarts: int) -> Iterator[str]:
    for name, kind, about, value_of in _OF_WORKERS:
        yield from _head(name, kind, about)
        for view in views:
            for place, worker in enumerate(view.workers):
                yield f"{name}{_labels(view, place, worker)} {_number(value_of(worker))}"
    yield from _head("toril_process_resident_bytes", "gauge", "Memory of a process")
    for view in views:
        if view.workers:
            yield f'toril_process_resident_bytes{{process="{view.number}"}} {view.workers[0].rss}'
    yield from _head("toril_processes_ready", "gauge", "Processes whose workers run")
    yield f"toril_processes_ready {sum(view.ready for view in views)}"
    yield from _head("toril_process_restarts_total", "counter", "Processes that were started again")
    yield f"toril_process_restarts_total {restarts}"


def _head(name: str, kind: str, about: str) -> tuple[str, str]:
    return f"# HELP {name} {about}.", f"# TYPE {name} {kind}"


def _labels(view: View, place: int, worker: WorkerStatus) -> str:
    """Labels that no two workers share: of those without a name, their place among the workers."""
    labels = {"process": view.number, "worker": worker.name or place, "queues": "+".join(worker.queues)}
    return "{" + ",".join(f'{name}="{_escaped(str(value))}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.6f}"
