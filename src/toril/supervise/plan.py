"""What to run, and how: told once, handed to each process as it is."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from toril.errors import OptionError
from toril.model.autoscale import Autoscale

LEVELS = ("debug", "info", "warning", "error", "critical")
FORMATS = ("text", "json")

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_MOST_PORT = 65_535
# Far more than any machine has cores for; a number above it is a slip, and would take the machine down.
_MOST_PROCESSES = 1000
# Seconds that jobs may wait before there is another process, and from one look at them to the next. A process
# takes long to start, so it is not ended soon either.
_TARGET, _INTERVAL = 2.0, 2.0


class Exit(IntEnum):
    """How a process, or the supervisor, ends."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNAVAILABLE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run, and how.

    Attributes:
        target: Where the workers are, ``module:target``.
        queues: Names and patterns of queues; without any, all workers run.
        concurrency: Slots of each worker; ``None`` leaves them as they are.
        processes: How many a supervisor keeps, at least and at most; ``None`` for no supervisor.
        reload: Start anew when a Python file of the working folder changes.
        burst: Leave when nothing is left to do.
        max_jobs: A process is replaced after so many jobs.
        max_memory: A process is replaced above so many bytes.
        log_level: The least level that is logged.
        log_format: ``text`` or ``json``.
        verbose: Log each job.
        health: Where to answer HTTP, ``port`` or ``host:port``.
        grace: Seconds that running jobs have to finish.
        fail_unfinished: Those that don't finish fail; else they wait again.
    """

    target: str
    queues: tuple[str, ...] = ()
    concurrency: int | None = None
    processes: Autoscale | None = None
    reload: bool = False
    burst: bool = False
    max_jobs: int | None = None
    max_memory: int | None = None
    log_level: str = "info"
    log_format: Literal["text", "json"] = "text"
    verbose: bool = False
    health: str | None = None
    grace: float = 25.0
    fail_unfinished: bool = False

    def __post_init__(self) -> None:
        if self.reload and self.burst:
            raise OptionError("burst", True, "leaves when all is done, and --reload stays; give one of them")
        if self.reload and self.scale.max > 1:
            problem = "--reload is for development, with one process; give one of them"
            wanted = f"{self.scale.min}-{self.scale.max}" if self.scales else self.scale.max
            raise OptionError("processes", wanted, problem)

    @property
    def scale(self) -> Autoscale:
        """How many processes there are."""
        return self.processes or Autoscale(1, 1)

    @property
    def scales(self) -> bool:
        """Whether their number follows the work."""
        return self.scale.min < self.scale.max

    @property
    def supervised(self) -> bool:
        """Whether processes are needed beside the one that begins."""
        replaced = self.max_jobs is not None or self.max_memory is not None
        return self.processes is not None or self.reload or replaced


def process_range(text: str) -> Autoscale:
    """How many processes: ``2``, or between two numbers, ``1-4``; ``auto`` for one for each core.

    Raises:
        OptionError: It is neither, or its first number is above the second.
    """
    first, dash, last = text.partition("-")
    least = _process_count(first, text)
    most = _process_count(last, text) if dash else least
    if most < least:
        raise OptionError("processes", text, f"goes from {least} down to {most}; give the lower number first")
    return Autoscale(least, most, target=_TARGET, interval=_INTERVAL)


def _process_count(word: str, text: str) -> int:
    if word == "auto":
        return _cores()
    digits = word.lstrip("0")
    if not (digits.isascii() and digits.isdecimal()):
        problem = "must be a whole number above 0, two of them such as 1-4, or auto for one for each core"
        raise OptionError("processes", text, problem)
    # Digits are counted first, since Python refuses to read numbers of thousands of them.
    if len(digits) > len(str(_MOST_PROCESSES)) or int(digits) > _MOST_PROCESSES:
        problem = f"must be at most {_MOST_PROCESSES}; auto is one for each core, here {_cores()}"
        raise OptionError("processes", text, problem)
    return int(digits)


def _cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def byte_count(text: str) -> int:
    """A size: a number of bytes, or one with a unit such as ``512MB`` or ``1.5GiB``; all are powers of 1024.

    Raises:
        OptionError: It is none.
    """
    found = _SIZE.fullmatch(text.strip())
    size = float(found[1]) * 1024 ** _UNITS[found[2].lower()] if found else 0
    if size < 1:
        raise OptionError("max_memory", text, "must be a size such as 512MB or 1.5GB")
    return round(size)


def place_of(text: str) -> tuple[str, int]:
    """Host and port to listen at; without a host, this machine only is answered.

    Raises:
        OptionError: It is neither a port nor ``host:port``.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > _MOST_PORT:
        raise OptionError(
            "health_port", text, "must be a port, such as 9000, or host:port, such as 0.0.0.0:9000"
        )
    return host.strip("[]") or "127.0.0.1", int(port)
