"""The store's single jobs: reading, reporting on, changing and removing them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from toril.model.cancellation import Cancellation
from toril.model.job import JobRecord
from toril.model.names import QueueRef
from toril.model.stream import StreamId
from toril.store.redis.coalesce import Coalescer
from toril.store.redis.codec import accept, fields_of, pack, refusal
from toril.store.redis.connection import Connection
from toril.store.redis.trees import LargeTree
from toril.store.values import Keeping, Logs, Renewed

Report = tuple[str, str, str, int | bool]

# What the numbers of the cancel script mean.
_CANCELLATIONS = {
    1: Cancellation.CANCELLED,
    2: Cancellation.CANCELLING,
    3: Cancellation.UNREACHABLE,
    4: Cancellation.FINISHED,
}

# Answer to a removal: the tree below the job is too large for one step.
_TOO_LARGE = 2


class JobChanges:
    """Verbs on one job. Progress, data and log rows of many jobs share a call."""

    def __init__(self, connection: Connection, now_ms: Callable[[], int]) -> None:
        self._connection = connection
        self._now_ms = now_ms
        self._reporters: dict[QueueRef, Coalescer[Report, int]] = {}

    async def get(self, queue: QueueRef, id: str) -> JobRecord | None:
        """The job, or ``None`` if there is none of this id."""
        fields = fields_of(await self._connection.command("HGETALL", queue.job_key(id)))
        return JobRecord(queue, id, fields) if fields else None

    async def state(self, queue: QueueRef, id: str) -> str:
        """Name of the job's state, ``unknown`` if it is in none."""
        return (await self._connection.run("state", queue, id)).decode()

    async def outcome(self, queue: QueueRef, id: str) -> tuple[str, JobRecord, StreamId]:
        """``missing``, ``unfinished``, ``completed`` or ``failed``; the job; the last event if unfinished."""
        reply = await self._connection.run("outcome", queue, id)
        return reply[0].decode(), JobRecord(queue, id, fields_of(reply[1])), StreamId.parse(reply[2])

    async def update_data(self, queue: QueueRef, id: str, data: str) -> None:
        """Replace the payload."""
        await self._report(queue, ("data", id, data, False))

    async def update_progress(self, queue: QueueRef, id: str, progress: str) -> None:
        """Store the progress and tell the event stream."""
        await self._report(queue, ("progress", id, progress, False))

    async def log(self, queue: QueueRef, id: str, row: str, keep: int | None) -> int:
        """Append a row; answers how many are kept now."""
        return await self._report(queue, ("log", id, row, keep if keep is not None else False))

    async def _report(self, queue: QueueRef, report: Report) -> int:
        reporter = self._reporters.get(queue)
        if reporter is None:
            reporter = self._reporters[queue] = self._new_reporter(queue)
        # What can't be sent fails here, and not together with its neighbours.
        pack(report)
        return await reporter.ask(report)

    def _new_reporter(self, queue: QueueRef) -> Coalescer[Report, int]:
        async def send(reports: Sequence[Report]) -> list[int | Exception]:
            numbers = await self._connection.run("report", queue, pack(reports))
            return [
                number if number >= 0 else refusal(number, f"update {report[0]}", queue, report[1])
                for report, number in zip(reports, numbers, strict=True)
            ]

        return Coalescer(send, lambda report: len(report[2]))

    async def drain_reports(self) -> None:
        """Wait until the reports under way are answered."""
        for reporter in self._reporters.values():
            await reporter.drain()

    async def logs(self, queue: QueueRef, id: str, first: int, last: int, *, ascending: bool) -> Logs:
        """Rows of the log, oldest first if ``ascending``."""
        key = queue.job_key(id) + ":logs"
        span = (first, last) if ascending else (-(last + 1), -(first + 1))
        rows = [
            row.decode("utf-8", "replace") for row in await self._connection.command("LRANGE", key, *span)
        ]
        count = await self._connection.command("LLEN", key)
        return Logs(rows if ascending else rows[::-1], count)

    async def clear_logs(self, queue: QueueRef, id: str, keep: int) -> None:
        """Delete the log but for its newest rows."""
        key = queue.job_key(id) + ":logs"
        if keep:
            await self._connection.command("LTRIM", key, -keep, -1)
        else:
            await self._connection.command("DEL", key)

    async def promote(self, queue: QueueRef, id: str) -> None:
        """Let a delayed job wait now."""
        accept(await self._connection.run("promote", queue, id), "promote", queue, id)

    async def change_delay(self, queue: QueueRef, id: str, delay_ms: int) -> None:
        """Let a delayed job be due so long from now."""
        number = await self._connection.run("change_delay", queue, id, delay_ms, self._now_ms())
        accept(number, "change delay", queue, id)

    async def change_priority(self, queue: QueueRef, id: str, priority: int, *, lifo: bool) -> None:
        """Give a job another priority, in front of its equals if ``lifo``."""
        number = await self._connection.run("change_priority", queue, id, priority, "1" if lifo else "0")
        accept(number, "change priority", queue, id)

    async def retry(self, queue: QueueRef, id: str, state: str, side: str, reset: Sequence[str]) -> None:
        """Run a finished job again; ``reset`` names the counters to forget."""
        accept(
            await self._connection.run("retry_job", queue, id, state, side, " ".join(reset)),
            "retry",
            queue,
            id,
        )

    async def remove(self, queue: QueueRef, id: str, *, with_children: bool) -> bool:
        """Remove a job; ``False`` if it, or one of its children, is running."""
        while True:
            number = await self._connection.run("remove", queue, id, "1" if with_children else "0")
            if accept(number, "remove", queue, id) != _TOO_LARGE:
                return number == 1
            tree = LargeTree(self._connection, queue, id, pending=False)
            if not (await tree.look() and await tree.remove()):
                return False

    async def cancel(self, queue: QueueRef, id: str, keep: Keeping) -> Cancellation:
        """Let a waiting job fail, or the worker of a running one be told.

        Args:
            keep: How many failed jobs to keep; see ``Finish``.
        """
        number = await self._connection.run("cancel", queue, id, pack(keep), self._now_ms())
        return _CANCELLATIONS[accept(number, "cancel", queue, id)]

    async def renew(self, queue: QueueRef, locks: Sequence[tuple[str, str]], lock_ms: int) -> list[str]:
        """Renew locks; answers the ids whose lock is lost."""
        return read_renewed(await self._connection.run("renew", queue, pack_locks(locks), lock_ms)).lost

    async def may_be_lost(self, queue: QueueRef) -> bool:
        """Whether a job is active or a scheduler there; one plain command, since idle workers ask it."""
        keys = (queue.base + what for what in ("active", "stalled", "repeat"))
        return bool(await self._connection.command("EXISTS", *keys))

    async def recover_stalled(self, queue: QueueRef, most_stalled: int, interval_ms: int) -> list[str]:
        """Give back the jobs of workers that are gone."""
        ids = await self._connection.run("recover", queue, most_stalled, interval_ms, self._now_ms())
        return [id.decode() for id in ids]


def read_renewed(reply: Sequence[Sequence[bytes]]) -> Renewed:
    """What the renew script answers."""
    lost, cancelled = reply
    return Renewed([id.decode() for id in lost], [id.decode() for id in cancelled])


def pack_locks(locks: Sequence[tuple[str, str]]) -> bytes:
    """Ids and tokens as the renew script reads them."""
    return pack([word for lock in locks for word in lock])
