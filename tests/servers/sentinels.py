"""A primary with a replica, and sentinels that watch both."""

from __future__ import annotations

from functools import partial
from itertools import chain
from types import TracebackType
from typing import Self

from tests.support.eventually import eventually_sync
from tests.support.valkey import HOST, Program, Valkey

SERVICE = "shop"

# Sentinels by their default look every 1, 2 and 10 s, which would make up most of a test's time. A replica
# that has not answered for five pings is not chosen, so those must not be too quick for a busy machine.
_HASTE = {
    "ping-period": 250,
    "publish-period": 100,
    "info-period": 200,
    "ask-period": 100,
    "election-timeout": 1000,
    "tilt-period": 500,
}
# ms that a step of a failover may take; one that came to nothing is begun anew after twice as long.
_STEP_MS = 1000


class Watched:
    """A primary, its replica and three sentinels.

    Args:
        patience_ms: After so long without an answer a sentinel takes the primary for dead.

    Attributes:
        primary: Who is the primary at first.
        replica: Who follows it at first.
        sentinels: Two of them have to agree.
    """

    def __init__(self, program: Program | None = None, patience_ms: int = 500) -> None:
        self._patience_ms = patience_ms
        self.primary = Valkey("--repl-diskless-sync-delay", "0", program=program)
        self.replica = Valkey("--repl-diskless-sync-delay", "0", program=program)
        self._program = program
        self.sentinels: list[Valkey] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def _start(self) -> None:
        self.primary.start()
        self.replica.start().command("REPLICAOF", HOST, self.primary.port)
        eventually_sync(lambda: self.replica.command("ROLE")[3] == "connected")
        # The last one is slow to notice, and just votes: three who stand for election at the same moment
        # would each vote for themselves, and begin anew after some seconds.
        for patience_ms in (self._patience_ms, self._patience_ms, 10 * self._patience_ms):
            sentinel = Valkey("--sentinel", program=self._program, config=self._config(patience_ms))
            self.sentinels.append(sentinel)
            sentinel.start().command("SENTINEL", "DEBUG", *chain(*_HASTE.items()))
        for sentinel in self.sentinels:
            eventually_sync(partial(self._sees_all, sentinel), 20.0)

    def _config(self, patience_ms: int) -> str:
        return (
            f"sentinel monitor {SERVICE} {HOST} {self.primary.port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} {patience_ms}\n"
            f"sentinel failover-timeout {SERVICE} {_STEP_MS}\n"
        )

    @staticmethod
    def _sees_all(sentinel: Valkey) -> bool:
        others = len(sentinel.command("SENTINEL", "SENTINELS", SERVICE))
        return others == 2 and len(sentinel.command("SENTINEL", "REPLICAS", SERVICE)) == 1

    @property
    def url(self) -> str:
        """As toril takes it, without a database."""
        hosts = ",".join(sentinel.place for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}"

    def named_primary(self) -> str:
        """Host and port of the primary, as the sentinels say."""
        host, port = self.sentinels[-1].command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return f"{host}:{port}"

    def fails_over(self) -> bool:
        """Whether a sentinel is making the replica the primary, or all is done."""
        asked = [sentinel.command("SENTINEL", "MASTER", SERVICE) for sentinel in self.sentinels]
        under_way = any("failover_in_progress" in word for facts in asked for word in facts)
        return under_way or self.named_primary() == self.replica.place

    def remove(self) -> None:
        """End all."""
        for server in (*self.sentinels, self.replica, self.primary):
            server.remove()
