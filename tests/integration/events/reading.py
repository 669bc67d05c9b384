"""Reading events in tests."""

from __future__ import annotations

import asyncio

from toril import Event, Queue, QueueEvents

# Seconds for events that have been told to arrive.
PATIENCE = 15.0


async def read(events: QueueEvents, count: int) -> list[Event]:
    """The next so many events."""
    found: list[Event] = []
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            found.append(event)
            if len(found) == count:
                return found
    raise AssertionError(f"the events ended after {len(found)}")


async def read_until(events: QueueEvents, name: str) -> list[Event]:
    """Events up to one of this name, which is left out."""
    found: list[Event] = []
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            if event.name == name:
                return found
            found.append(event)
    raise AssertionError(f"the events ended before {name}")


def names(events: list[Event]) -> list[str]:
    return [event.name for event in events]


def cursor_of(queue: Queue, reader: str) -> str:
    return f"{queue.ref.base}toril:reader:{reader}"


async def tick(queue: Queue, *numbers: int) -> None:
    for number in numbers:
        await queue.publish_event("tick", n=number)


def numbers(events: list[Event]) -> list[int]:
    return [int(event.fields["n"]) for event in events]
