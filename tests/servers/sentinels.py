"""A primary with a replica, and sentinels that watch both."""

from __future__ import annotations

from functools import partial
from types import TracebackType
from typing import Self

from tests.support.eventually import eventually_sync
from tests.support.valkey import HOST, Program, Valkey

SERVICE = "shop"

# Sentinels by their default look every 1, 2 and 10 s, which would make up most of a test's time.
_HASTE = (
    "ping-period",
    "100",
    "publish-period",
    "100",
    "info-period",
    "200",
    "ask-period",
    "100",
    "election-timeout",
    "1000",
    "tilt-period",
    "500",
)


class Watched:
    """A primary, its replica and three sentinels.

    Attributes:
        primary: Who is the primary at first.
        replica: Who follows it at first.
        sentinels: Two of them have to agree.
    """

    def __init__(self, program: Program | None = None) -> None:
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
        config = (
            f"sentinel monitor {SERVICE} {HOST} {self.primary.port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} 400\n"
            f"sentinel failover-timeout {SERVICE} 2000\n"
        )
        for _ in range(3):
            sentinel = Valkey("--sentinel", program=self._program, config=config)
            self.sentinels.append(sentinel)
            sentinel.start().command("SENTINEL", "DEBUG", *_HASTE)
        for sentinel in self.sentinels:
            eventually_sync(partial(self._sees_all, sentinel), 20.0)

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

    def remove(self) -> None:
        """End all."""
        for server in (*self.sentinels, self.replica, self.primary):
            server.remove()
