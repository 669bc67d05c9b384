"""What an adapter for a system in Python consists of: a producer, a consumer, and what it can't do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from benchmarks.child import CannotError


class Producer(ABC):
    """Adds jobs. Systems with asyncio subclass this; others `BlockingProducer`.

    Attributes:
        bulk: Whether many can be added in one call.
    """

    bulk: ClassVar[bool] = False

    def __init__(self, url: str, queue: str) -> None:
        self.url, self.queue = url, queue

    @abstractmethod
    async def open(self) -> None:
        """Connect."""
        ...

    @abstractmethod
    async def close(self) -> None:
        """Leave the server."""
        ...

    @abstractmethod
    async def waiting(self) -> int:
        """How many jobs wait, on the server."""
        ...

    @abstractmethod
    async def add(self, number: int) -> tuple[str, Any]:
        """Add a job; answers its id, and what its result is had from."""
        ...

    async def add_many(self, numbers: Sequence[int]) -> list[str]:
        """Add jobs in one call; answers their ids."""
        raise CannotError(f"it has no bulk add, for {len(numbers)} jobs")

    @abstractmethod
    async def result(self, handle: Any) -> Any:
        """Wait for a result."""
        ...


class BlockingProducer(ABC):
    """As `Producer`, without asyncio."""

    bulk: ClassVar[bool] = False

    def __init__(self, url: str, queue: str) -> None:
        self.url, self.queue = url, queue

    @abstractmethod
    def open(self) -> None:
        """Connect."""
        ...

    @abstractmethod
    def close(self) -> None:
        """Leave the server."""
        ...

    @abstractmethod
    def waiting(self) -> int:
        """How many jobs wait, on the server."""
        ...

    @abstractmethod
    def add(self, number: int) -> tuple[str, Any]:
        """Add a job; answers its id, and what its result is had from."""
        ...

    def add_many(self, numbers: Sequence[int]) -> list[str]:
        """Add jobs in one call; answers their ids."""
        raise CannotError(f"it has no bulk add, for {len(numbers)} jobs")

    @abstractmethod
    def result(self, handle: Any) -> Any:
        """Wait for a result."""
        ...


class Consumer(ABC):
    """Runs jobs of a queue in this process, as one worker.

    Attributes:
        most_slots: How many jobs it can run at once; ``None`` if as many as are wished.
        long: Whether jobs take long, so that a worker should take no more than it runs, since others could.
    """

    most_slots: ClassVar[int | None] = None

    def __init__(self, url: str, queue: str, slots: int, *, long: bool = False) -> None:
        if self.most_slots is not None and slots > self.most_slots:
            raise CannotError(f"a worker process runs {self.most_slots} job at a time")
        self.url, self.queue, self.slots, self.long = url, queue, slots, long

    @abstractmethod
    async def open(self) -> None:
        """Connect; take nothing yet."""
        ...

    @abstractmethod
    async def start(self) -> None:
        """Begin to take and run jobs; returns at once."""
        ...

    @abstractmethod
    async def kept(self) -> int:
        """How many results the server keeps, of all queues."""
        ...

    @abstractmethod
    async def close(self) -> None:
        """Stop, when what runs is done."""
        ...
