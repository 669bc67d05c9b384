"""The short way for a worker of one slot: its job completes, the next one starts, and nothing else."""

from __future__ import annotations

from typing import TypeGuard

from toril.model.names import QueueRef
from toril.store.redis.codec import read_taken
from toril.store.redis.connection import Connection
from toril.store.values import Claim, Finish, Settlement, Taken

# A queue that the short way could not serve, because it is limited, say, is not tried for so many turns.
_DETOUR = 50


class Turns:
    """Takes turns in one call of a script that has no functions, where that can be done."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._detours: dict[QueueRef, int] = {}

    async def take(self, queue: QueueRef, settlement: Settlement, claim: Claim, at_ms: int) -> Taken | None:
        """Settle one job and take the next; ``None`` if nothing was done, since it needs the long way."""
        if not _is_plain(settlement, claim) or self._on_detour(queue):
            return None
        words = (settlement.id, settlement.token, settlement.value, at_ms)
        reply = await self._connection.run(
            "turn", queue, *words, claim.token, claim.lock_ms, claim.worker or ""
        )
        if reply == 0:
            self._detours[queue] = _DETOUR
            return None
        return read_taken(queue, reply[1], claim.token)

    def _on_detour(self, queue: QueueRef) -> bool:
        left = self._detours.get(queue, 0)
        if left:
            self._detours[queue] = left - 1
        return left > 0


def _is_plain(settlement: Settlement, claim: Claim) -> TypeGuard[Finish]:
    return (
        isinstance(settlement, Finish)
        and settlement.target == "completed"
        # All are kept, whatever their number and age; an age of 0 is an age.
        and settlement.keep[0] < 0
        and settlement.keep[1] is False
        and not (settlement.fields or settlement.points)
        and settlement.token != "0"
        and claim.count == 1
        and not (claim.limit or claim.aged or claim.after_success)
    )
