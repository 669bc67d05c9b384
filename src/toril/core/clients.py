"""Who is connected to a queue, and which queues there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import msgspec

from toril.core.connection import StoreLink
from toril.model.names import check_prefix
from toril.model.worker_status import WorkerStatus
from toril.store.contract import Store


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """A connection to the server, as the server describes it.

    Attributes:
        id: The server's number for it.
        address: Where it comes from, ``host:port``; the path of a unix socket.
        age: Seconds since it was made.
        idle: Seconds since its last command.
        fields: All that the server tells of it.
    """

    id: str
    address: str
    age: int
    idle: int
    fields: Mapping[str, str]

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> Self:
        """From a line of the server's list."""
        return cls(
            fields.get("id", ""),
            fields.get("addr", ""),
            _seconds(fields.get("age", "")),
            _seconds(fields.get("idle", "")),
            fields,
        )


class WorkerInfo(ClientInfo):
    """The connection on which a worker waits for jobs."""

    __slots__ = ()

    @property
    def name(self) -> str | None:
        """The name the worker was given; ``None`` if it has none."""
        return self.fields.get("name", "").partition(":w:")[2] or None


def read_beats(told: Iterable[bytes]) -> list[WorkerStatus]:
    """What workers have told of themselves, the oldest worker first; what can't be read is left out."""
    found: list[WorkerStatus] = []
    for status in told:
        # Another version may tell it in another way, and anybody may write there.
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            found.append(msgspec.json.decode(status, type=WorkerStatus))
    return sorted(found, key=lambda worker: (worker.started_at or worker.told_at, worker.id))


def _seconds(text: str) -> int:
    return int(text) if text.isdigit() else 0


async def list_queues(
    url: str | None = None, *, store: Store | None = None, prefix: str = "bull"
) -> list[str]:
    """Names of all queues on a server, in order.

    A queue is found by the meta that whoever adds to it writes, toril or BullMQ. The server's keys are looked
    through in small steps, which takes a while if there are millions.

    Args:
        url: Of the server; ``None`` for ``TORIL_URL``, ``REDIS_URL`` or the embedded server.
        store: A store that is open already, instead of ``url``.
        prefix: Prefix of the queues' keys.

    Raises:
        OptionError: The prefix or the URL can't be used.
        StoreUnavailable: The server does not answer.
    """
    check_prefix(prefix)
    link = StoreLink(None, url, store)
    try:
        return await (await link.open()).store.queues.names(prefix)
    finally:
        await link.close()
