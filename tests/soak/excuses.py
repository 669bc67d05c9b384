"""What was done to the service, which explains that jobs ran more often than once."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

#: From when to when.
Span = tuple[float, float]


@dataclass(slots=True)
class Excuses:
    """What may have made jobs run more often than once.

    Attributes:
        grace: Seconds that running jobs have in a stop.
        killed: Ids of processes that were killed.
        killed_children: How many children of workers were; each may have cost an attempt.
        outages: When the server was not there.
        stops: When processes were told to leave in order, until they had left.
    """

    grace: float
    killed: set[int] = field(default_factory=set[int])
    killed_children: int = 0
    outages: list[Span] = field(default_factory=list[Span])
    stops: list[Span] = field(default_factory=list[Span])


@contextmanager
def during(spans: list[Span]) -> Generator[None]:
    """Note from when to when this goes on."""
    began = time.time()
    yield
    spans.append((began, time.time()))
