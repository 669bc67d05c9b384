"""Steps that tell and read events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.golden.session import Session
from tests.golden.values import JSON, Args
from toril import Event, QueueEvents
from toril.model.names import QueueRef
from toril.model.stream import BEGINNING

# Fields that listeners of BullMQ get as values; all others are text.
_DECODED: dict[tuple[str, str], Callable[[Event], Any]] = {
    ("progress", "data"): lambda event: event.progress,
    ("completed", "returnvalue"): lambda event: event.return_value,
    ("delayed", "delay"): lambda event: int(event.fields["delay"]),
}


async def publish(session: Session, args: Args) -> JSON:
    fields = dict(args.mapping("event"))
    name = str(fields.pop("eventName"))
    queue = session.queue(args.text("queue"))
    await queue.publish_event(name, fields, max_events=args.integer("maxEvents", 1000))
    return None


async def collect(session: Session, args: Args) -> JSON:
    """The stream from its beginning to where it ends now."""
    name = args.text("queue")
    end = await session.store.events.end(QueueRef(session.prefix, name))
    told: list[JSON] = []
    if end.id == BEGINNING:
        return told
    async with QueueEvents(name, store=session.store, prefix=session.prefix, last_event_id="0") as events:
        async for event in events:
            told.append([event.name, *_arguments(event)])
            if event.id == str(end.id):
                break
    return told


def _arguments(event: Event) -> list[JSON]:
    """What a listener of BullMQ is called with, but for the id; nothing when a queue is drained."""
    if event.name == "drained":
        return []
    values: dict[str, JSON] = {}
    for name, text in event.fields.items():
        if name != "event":
            decode = _DECODED.get((event.name, name))
            values[name] = decode(event) if decode else text
    return [values]


OPERATIONS = {"events.collect": collect, "events.publish": publish}
