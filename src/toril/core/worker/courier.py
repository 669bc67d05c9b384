"""Taking calls to the store, again and again until they are answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from toril.core.worker.calls import Call
from toril.errors import StoreError
from toril.model.names import QueueRef
from toril.model.pace import Pace
from toril.store.contract import Store
from toril.store.values import Claim, Settled, Taken

#: Seconds between the first tries when the server does not answer; the longest is `run_retry_delay`.
FIRST_PAUSE = 0.1


class Courier:
    """Takes the calls of one queue to the store.

    Args:
        longest_pause: Seconds between tries, at most.
        lost: Told what went wrong when the server does not answer, and whether that is news.

    Attributes:
        pace: How many calls may be under way, from how long the last ones took.
    """

    def __init__(
        self, store: Store, queue: QueueRef, longest_pause: float, lost: Callable[[StoreError, bool], None]
    ) -> None:
        self._store = store
        self._queue = queue
        self._longest_pause = longest_pause
        self._tell_lost = lost
        # Since when whom the server does not answer.
        self._deaf: dict[str, float] = {}
        self.pace: Pace = Pace()

    @property
    def deaf_since(self) -> float | None:
        """Monotonic time at which the server stopped answering, or ``None``."""
        return min(self._deaf.values(), default=None)

    @property
    def is_cut_off(self) -> bool:
        """Whether calls are not answered now."""
        return "calls" in self._deaf

    async def take(self, call: Call) -> Settled:
        """Ask until there is an answer; the same call again is answered as if it were the first."""
        asked = time.monotonic()
        settlements = [settling.settlement for settling in call.settlings if settling.settlement is not None]
        pause = FIRST_PAUSE
        while True:
            begun = time.monotonic()
            try:
                settled = await self._store.jobs.settle(
                    self._queue, settlements, call.claim, at_ms=call.at_ms, again=call.again
                )
                if call.claim is not None and time.monotonic() - asked >= call.claim.lock_ms / 1000:
                    await self._keep_ours(settled.taken, call.claim)
            except StoreError as error:
                self.lost("calls", error)
                call.again = True
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._longest_pause)
            except Exception:
                # That was an answer, too: the call can't be made.
                self.found("calls")
                raise
            else:
                self.found("calls")
                self.pace.took(time.monotonic() - begun)
                return settled

    async def _keep_ours(self, taken: Taken, claim: Claim) -> None:
        """The answer came when the locks were over: what others have found since is not ours to run."""
        locks = [(job.id, job.token) for job in taken.jobs]
        lost = set(await self._store.jobs.renew(self._queue, locks, claim.lock_ms)) if locks else ()
        taken.jobs = [job for job in taken.jobs if job.id not in lost]
        taken.more = taken.more or bool(lost)

    def lost(self, who: str, error: StoreError) -> None:
        """The server does not answer."""
        is_news = not self._deaf
        self._deaf.setdefault(who, time.monotonic())
        self._tell_lost(error, is_news)

    def found(self, who: str) -> None:
        """The server answers again."""
        self._deaf.pop(who, None)
