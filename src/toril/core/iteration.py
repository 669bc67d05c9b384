"""Walking through states of a queue while jobs come, go and move.

A few thousand jobs are read in one step, as they are at that moment. More are read in steps that don't hold
the server up, and then no step may lose its place:

- In a list, jobs that stay keep their order; they are added and taken at the ends, and removed anywhere. The
  waiting list grows on the left and is taken from on the right, so it is read from the left: what is added
  stands before what was read, what is taken is met in a later state. A step looks for the last ids of the one
  before it and goes on behind them, wherever they are now.
- A sorted set is walked by the server's own scan, which finds all that is there from the first step to the
  last, even if its score changes; a cursor by score would not.
- Only a job that is sent to the end of the waiting line gets behind the reader: nothing but reading the whole
  line once more would tell.
- States are walked in the order of a job's life, so a job that goes on meanwhile is met in the later state.

A scan may show an id twice, a step may go back, and a job may be met in two states, so the ids are
remembered.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from toril.core.states import by_life
from toril.model.names import QueueRef
from toril.store.contract import Store
from toril.store.values import Mark

# Ids in a piece of the bitmap: few, for where only some of many jobs are kept. And the digits of the longest
# number that has a place in it.
_PIECE = 1 << 10
_DIGITS = 15


class SeenIds:
    """Ids that were met: a bit for each number that the queue gave out, the text of any other id."""

    def __init__(self) -> None:
        self._pieces: dict[int, bytearray] = {}
        self._texts: set[str] = set()

    def add(self, id: str) -> bool:
        """Remember an id; answers whether it is new."""
        if id.isascii() and id.isdigit() and id[0] != "0" and len(id) <= _DIGITS:
            return self._add_number(int(id))
        new = id not in self._texts
        self._texts.add(id)
        return new

    def _add_number(self, number: int) -> bool:
        piece, place = divmod(number, _PIECE)
        bits = self._pieces.setdefault(piece, bytearray(_PIECE // 8))
        index, bit = place >> 3, 1 << (place & 7)
        new = not bits[index] & bit
        bits[index] |= bit
        return new


async def walk_ids(store: Store, queue: QueueRef, states: Sequence[str]) -> AsyncGenerator[list[str]]:
    """Ids of all jobs in some states, none twice, some at a time."""
    seen = SeenIds()
    at_once = await store.queues.ids_at_once(queue, states)
    if at_once is not None:
        yield [id for id in at_once if seen.add(id)]
        return
    for state in by_life(states):
        place: Mark | None = None
        while True:
            ids, place = await store.queues.walk(queue, state, place)
            yield [id for id in ids if seen.add(id)]
            if place is None:
                break
