"""The systems that can be measured: how each is started, and with what settings."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_ADAPTERS = Path(__file__).resolve().parent / "adapters"
_CACHE = ROOT / ".cache"

#: The system that the others are compared with, and the one that the promises are about.
OURS, RIVAL = "toril", "bullmq"
#: Systems with which every measure is made; the others take part in those that all systems know.
PAIR = (OURS, RIVAL)


class MissingError(Exception):
    """What a system runs on is not installed."""


@dataclass(frozen=True, slots=True)
class System:
    """One system.

    Attributes:
        name: Of its adapter, too.
        imports: What a program that uses it begins with.
        settings: Those that differ from its defaults, as its documentation advises for speed.
        home: Folder of the environment it lives in, below the cache; empty for the runner's own.
        share: Of the counts of jobs: a slow system need not be waited for longer than a fast one.
        most_slots: Jobs that its worker runs at once, at most, where a measure is not about that.
    """

    name: str
    imports: str
    settings: str
    home: str = "peers"
    share: float = 0.25
    most_slots: int = 100

    @property
    def adapter(self) -> Path:
        return _ADAPTERS / f"{self.name}.{'mjs' if self.is_node else 'py'}"

    @property
    def is_node(self) -> bool:
        return self.name == RIVAL

    def program(self) -> str:
        """What runs it: a Python, or Node.

        Raises:
            MissingError: It is not installed.
        """
        if self.is_node:
            node = shutil.which("node")
            if node is None:
                raise MissingError(f"{self.name} needs Node 20 or newer; leave it out with --systems toril")
            return node
        if not self.home:
            return sys.executable
        python = _CACHE / self.home / "bin" / "python"
        if not python.exists():
            raise MissingError(f"{self.name} is not installed; `make peers` does that")
        return str(python)

    def command(self) -> list[str]:
        """How to start its adapter.

        Raises:
            MissingError: What it runs on is not installed.
        """
        if self.is_node:
            return [self.program(), str(self.adapter)]
        if not self.home:
            return [self.program(), "-m", f"benchmarks.adapters.{self.name}"]
        return [self.program(), "-m", "benchmarks.peers.program", self.name]


_SYSTEMS = (
    System(OURS, "from toril import Queue, Worker", "uvloop", home="", share=1),
    System(RIVAL, "bullmq", "its defaults", home="", share=1),
    System("bullmq_python", "from bullmq import Queue, Worker", "uvloop, hiredis"),
    System(
        "celery",
        "from celery import Celery",
        "threads (solo at 1), hiredis, prefetch 4 a slot, no events, gossip, mingle or heartbeat",
        share=0.1,
    ),
    System("dramatiq", "import dramatiq", "threads, hiredis, Results, fetches 100 ahead at least"),
    System(
        "rq",
        "from rq import Queue, SimpleWorker",
        "SimpleWorker (no fork), hiredis, no limits of time, no descriptions logged",
        share=0.1,
        most_slots=1,
    ),
    System("huey", "from huey import RedisHuey", "threads, hiredis, blocking pops, results of all kept"),
    System(
        "arq",
        "from arq import create_pool",
        "uvloop, hiredis, polls each ms, reads 1000 ids a poll",
        home="peers-arq",
    ),
    System("saq", "from saq import Queue, Worker", "uvloop, hiredis, as many operations at once as jobs"),
    System(
        "taskiq",
        "from taskiq_redis import RedisStreamBroker",
        "uvloop, hiredis, streams, Redis results",
        home="peers-taskiq",
    ),
    System("streaq", "from streaq import Worker", "uvloop, prefetch as many as run"),
)


def systems() -> dict[str, System]:
    """All there are, by name; toril first, its rival second."""
    return {system.name: system for system in _SYSTEMS}
