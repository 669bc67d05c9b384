"""What lies on the server, counted beside the library: how many jobs wait, how many results are kept."""

from __future__ import annotations

import importlib
from typing import Any

redis = importlib.import_module("redis")

# Keys that one call of SCAN looks at.
_PAGE = 10_000


class Keys:
    """A connection for counting; it blocks, and is used before and after what is measured."""

    def __init__(self, url: str) -> None:
        self._client: Any = redis.Redis.from_url(url)

    def matching(self, pattern: str) -> int:
        """How many keys there are whose names match."""
        return sum(1 for _ in self._client.scan_iter(match=pattern, count=_PAGE))

    def length(self, key: str) -> int:
        """How long a list, stream, sorted set or hash is; 0 if there is none."""
        kind = self._client.type(key)
        count = {b"list": "llen", b"stream": "xlen", b"zset": "zcard", b"hash": "hlen"}.get(kind)
        return getattr(self._client, count)(key) if count else 0

    def close(self) -> None:
        self._client.close()
