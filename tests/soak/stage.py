"""Where the soak takes place: a server, a folder with a module, and the services that run it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from tests.cli.service import PATIENCE, Service
from tests.soak.excuses import Excuses, during
from tests.soak.ledger import Ledger
from tests.soak.work import LEDGER
from tests.support.valkey import Valkey

ROOT = Path(__file__).resolve().parent.parent.parent

#: Seconds that running jobs have when a service is stopped.
GRACE = 1.5

# With `always` the server answers when what it has done is on the disk, so that it may be killed, too.
_DURABLE = ("--appendonly", "yes", "--appendfsync", "always")

_WORKER_PROCESS = "toril.supervise.process"


class Stage:
    """The server, and the service that works.

    Attributes:
        service: The one that works now.
        faults: What services did wrong.
        excuses: What was done to them.
        troubles: How often there was which trouble.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = Valkey(*_DURABLE)
        self.ledger = Ledger(folder / "ledger.sqlite")
        self.faults: list[str] = []
        self.excuses = Excuses(GRACE)
        self.troubles: Counter[str] = Counter()
        self._releases = 0
        self._services: list[Service] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._stack.enter_context(self.server)
            self.release()
            self.service = self.begin()
            self.service.started()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def release(self) -> None:
        """Save the module that services run, as another version."""
        self._releases += 1
        text = f"from tests.soak.work import workers\n\nRELEASE = {self._releases}\n"
        (self.folder / "service.py").write_text(text)

    # --- services ---

    def begin(self, *words: str) -> Service:
        """Start a service beside those there are; by default one of two processes."""
        env = {
            "TORIL_URL": self.server.url,
            LEDGER: str(self.folder / "ledger.sqlite"),
            "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
        }
        words = (*(words or ("--processes", "2")), "--grace", str(GRACE))
        service = Service(self.folder, "service:workers", *words, env=env)
        self._services.append(service)
        return self._stack.enter_context(service)

    def leave(self, service: Service, number: int) -> None:
        """Stop a service by a signal, in order."""
        offspring = service.children()
        with during(self.excuses.stops):
            service.process.send_signal(number)
            code = service.exit_code()
        if code:
            self.faults.append(f"a service that was stopped in order left with exit code {code}")
        self._expect_gone(offspring)

    def replace_supervisor(self) -> None:
        """Kill the supervisor, and start another; the processes of the old one are to leave, in order."""
        old, offspring = self.service, self.service.children()
        with during(self.excuses.stops):
            old.process.kill()
            self.service = self.begin()
            self.service.started()
            self._expect_gone(offspring)

    def _expect_gone(self, processes: Sequence[psutil.Process]) -> None:
        _, alive = psutil.wait_procs(processes, PATIENCE)
        self.faults += [f"process {one.pid} outlived its supervisor" for one in alive]

    def workers(self) -> list[psutil.Process]:
        """The worker processes of the service."""
        supervisor = psutil.Process(self.service.process.pid)
        return [one for one in supervisor.children() if _WORKER_PROCESS in _words(one)]

    def busy_workers(self) -> list[psutil.Process]:
        """Those of them that run a job at this moment."""
        busy = self.ledger.busy()
        return [worker for worker in self.workers() if worker.pid in busy]

    def children(self) -> list[psutil.Process]:
        """The child processes in which handlers run."""
        return [child for worker in self.workers() for child in _offspring(worker)]

    def kill(self, process: psutil.Process) -> None:
        """Kill a process; what it has started is on its own."""
        with suppress(psutil.NoSuchProcess):
            self.excuses.killed |= {process.pid, *(child.pid for child in _offspring(process))}
            process.kill()

    def log(self) -> str:
        """All that services have logged, one after the other."""
        return "".join(f"{line}\n" for service in self._services for line in service.lines)

    def logged(self) -> Counter[str]:
        """How often services have said what, of warnings and worse."""
        documents = [one for service in self._services for one in service.log()]
        return Counter(_said(one) for one in documents if one["level"] not in ("debug", "info"))


def _said(document: Mapping[str, Any]) -> str:
    # The last line of a traceback begins with the error's class.
    kind = str(document.get("error", "")).rpartition("\n")[2].partition(":")[0].rpartition(".")[2]
    return f"{document['level']}: {document['message']} {kind}".rstrip()


def _words(process: psutil.Process) -> list[str]:
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return process.cmdline()
    return []


def _offspring(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []
