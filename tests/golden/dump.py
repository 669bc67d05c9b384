"""A whole database, in the shape of the recordings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis

from tests.golden.stored import Database, StoredKey
from tests.golden.values import JSON

# Asked by script, because clients turn scores into floats, and the text counts.
_WITH_SCORES = "return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')"


class Server:
    """A connection of the replayer's own, which sees what a second client would see."""

    def __init__(self, url: str) -> None:
        # The client's own types leave open what it answers.
        client: Any = Redis
        # The older protocol answers every reading with flat lists of texts.
        self._client: Any = client.from_url(
            url, decode_responses=True, encoding_errors="backslashreplace", protocol=2
        )

    async def command(self, *words: str | int | float) -> Any:
        """The answer to a command, as the server gives it."""
        return await self._client.execute_command(*words)

    async def empty(self) -> None:
        """Remove every key of the database."""
        await self._client.flushdb()

    async def dump(self) -> Database:
        """All keys."""
        keys: list[str] = await self.command("KEYS", "*")
        return {key: await self._read(key) for key in sorted(keys)}

    async def _read(self, key: str) -> StoredKey:
        kind: str = await self.command("TYPE", key)
        return StoredKey(kind, await self._value(kind, key), await self.command("PTTL", key))

    async def _value(self, kind: str, key: str) -> JSON:
        match kind:
            case "string":
                return await self.command("GET", key)
            case "list":
                return await self.command("LRANGE", key, 0, -1)
            case "set":
                return sorted(await self.command("SMEMBERS", key))
            case "hash":
                return dict(await self.command("HGETALL", key))
            case "zset":
                return _pairs(await self.command("EVAL", _WITH_SCORES, 1, key))
            case "stream":
                return [dict(fields) for _, fields in await self.command("XRANGE", key, "-", "+")]
            case _:
                raise ValueError(f"{key} is a {kind}, which no queue has")

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


def _pairs(flat: Iterable[str]) -> dict[str, JSON]:
    words = iter(flat)
    return dict(zip(words, words, strict=True))
