"""What a process can count of itself while it works."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol


class Meter(Protocol):
    """Counts between two moments."""

    def start(self) -> None: ...

    def stop(self) -> dict[str, float]:
        """What was counted, by measure."""
        ...


class Blocks:
    """Blocks of memory that are left: caches, leaks, and cycles, as long as the collector is off."""

    def start(self) -> None:
        self._before = sys.getallocatedblocks()

    def stop(self) -> dict[str, float]:
        return {"blocks left": sys.getallocatedblocks() - self._before}


class Steps:
    """Steps of Python's own machine, and calls of functions, those written in C included."""

    def __init__(self) -> None:
        self._steps = 0
        self._calls = 0

    def start(self) -> None:
        self._steps = self._calls = 0
        sys.setprofile(self._profile)
        sys.settrace(self._trace)

    def stop(self) -> dict[str, float]:
        sys.settrace(None)
        sys.setprofile(None)
        return {"bytecodes": self._steps, "calls": self._calls}

    def _trace(self, frame: FrameType, event: str, _arg: Any) -> Any:
        if event == "opcode":
            self._steps += 1
        elif event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._trace

    def _profile(self, _frame: FrameType, event: str, _arg: Any) -> None:
        if event in ("call", "c_call"):
            self._calls += 1


class Peak:
    """Bytes that Python holds at once, above what it held at first."""

    def start(self) -> None:
        tracemalloc.start()

    def stop(self) -> dict[str, float]:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return {"peak bytes": peak}


class Nothing:
    """Counts nothing, where all is counted outside."""

    def start(self) -> None:
        pass

    def stop(self) -> dict[str, float]:
        return {}


METERS: dict[str, Callable[[], Meter]] = {
    "none": Nothing,
    "blocks": Blocks,
    "steps": Steps,
    "peak": Peak,
}
