"""toril, which takes the steps of stories: the replayer of the recordings does the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.fuzz.story import PREFIX, T0_MS, Step, Story
from tests.golden.dump import Server
from tests.golden.run import REFUSALS, perform
from tests.golden.scenario import Scenario
from tests.golden.session import Session
from tests.golden.times import Timekeeper
from tests.golden.values import BadRecording
from tests.golden.views import error_view
from toril import open_store


class StoryTime(Timekeeper):
    """The time of the step that is taken.

    Attributes:
        ms: It, in ms since 1970.
    """

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario, controlled=True)
        self.ms = T0_MS

    def now_ms(self) -> int:
        return self.ms


class TorilDriver:
    """Tells stories with toril, one after the other, on one database of a server."""

    def __init__(self, url: str) -> None:
        self._time = StoryTime(_scenario({}, {}))
        self._server = Server(url)
        # Without receipts, all that is written is BullMQ's.
        self._store = open_store(url, now_ms=self._time.now_ms, receipts=False)
        self._session: Session | None = None

    async def begin(self, story: Story) -> None:
        """Empty the database and open what the story needs."""
        self._time.ms = T0_MS
        scenario = _scenario(story.queues, story.workers)
        self._session = Session(scenario, self._store, self._server, self._time, perform)
        await self._session.set_up()

    async def take(self, step: Step) -> Any:
        """What toril answers to a step; a refusal is ``{"error": ...}``.

        Raises:
            Exception: Anything that is no refusal.
        """
        assert self._session
        self._time.ms = T0_MS + step["at"]
        self._session.errors.clear()
        try:
            return await perform(self._session, step)
        except REFUSALS as error:
            return error_view(error)
        except BadRecording as error:
            # A story that was made shorter may lack the step that made a job.
            return {"error": {"name": "Error", "message": str(error)}}

    async def leave(self) -> None:
        """Close what the story has opened."""
        if self._session:
            session, self._session = self._session, None
            await session.close()

    async def close(self) -> None:
        """Leave the server."""
        await self.leave()
        await self._store.close()
        await self._server.close()


def _scenario(queues: Mapping[str, Any], workers: Mapping[str, Any]) -> Scenario:
    return Scenario(
        name="story",
        area="fuzz",
        t0_ms=T0_MS,
        needs_controlled_clock=True,
        prefix=PREFIX,
        queues=queues,
        workers=workers,
        loose_events=frozenset(),
        steps=(),
        returns={},
        snapshots={},
        state={},
    )
