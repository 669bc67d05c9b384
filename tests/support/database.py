"""The server seen by somebody who knows nothing of toril: raw commands, whole dumps, who is connected."""

from __future__ import annotations

from collections.abc import Sequence
from operator import methodcaller
from typing import Any, NamedTuple, Self, cast

import redis

_READERS = """
local readers = {
  string = function(key) return redis.call('GET', key) end,
  list = function(key) return redis.call('LRANGE', key, 0, -1) end,
  set = function(key) local all = redis.call('SMEMBERS', key); table.sort(all); return all end,
  hash = function(key) return redis.call('HGETALL', key) end,
  zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
  stream = function(key) return redis.call('XRANGE', key, '-', '+') end,
}
local keys = redis.call('KEYS', '*')
table.sort(keys)
"""

# One call, because a dump is taken after each step of a long story. Scores stay the text the server prints.
_DUMP = f"""{_READERS}
local found = {{}}
for _, key in ipairs(keys) do
  local kind = redis.call('TYPE', key).ok
  found[#found + 1] = {{ key, kind, redis.call('PTTL', key), readers[kind](key) }}
end
return found
"""

_FINGERPRINT = f"""{_READERS}
readers.stream = function(key)
  local all = {{}}
  for i, event in ipairs(redis.call('XRANGE', key, '-', '+')) do all[i] = event[2] end
  return all
end
local found, lives = {{}}, {{}}
for _, key in ipairs(keys) do
  if not string.find(key, ARGV[1], 1, true) then
    local kind, ttl = redis.call('TYPE', key).ok, redis.call('PTTL', key)
    if ttl > 0 then lives[#lives + 1] = ttl end
    found[#found + 1] = {{ key, kind, ttl > 0, readers[kind](key) }}
  end
end
return {{ redis.sha1hex(cmsgpack.pack(found)), lives }}
"""

#: What toril keeps for itself, in keys that BullMQ ignores.
OWN_KEYS = ":toril:"


class Stored(NamedTuple):
    """One key.

    Attributes:
        kind: Its type, as the server names it.
        value: Text, list of texts, or mapping; a list of mappings for a stream, whose ids are left out.
        ttl_ms: -1 if it lives for ever.
    """

    kind: str
    value: Any
    ttl_ms: int = -1


Dump = dict[str, Stored]


class Fingerprint(NamedTuple):
    """What a dump comes to, in a word: those of equal databases are equal, but for the order within hashes.

    Attributes:
        lives_ms: Of the keys that don't live for ever, in the order of their names.
    """

    digest: str
    lives_ms: list[int]


class Database:
    """One database of a server, by plain commands that block."""

    def __init__(self, url: str) -> None:
        # The older protocol answers every reading with flat lists.
        self._client: Any = methodcaller(
            "from_url", url, protocol=2, decode_responses=True, encoding_errors="backslashreplace"
        )(redis.Redis)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def command(self, *words: str | int | float) -> Any:
        """The answer to a command."""
        return self._client.execute_command(*words)

    def empty(self) -> None:
        """Remove every key."""
        self.command("FLUSHDB")

    def dump(self, *, own_keys: bool = False) -> Dump:
        """Every key, but for those that toril keeps for itself unless ``own_keys``."""
        rows = self.command("EVAL", _DUMP, 0)
        return {
            key: Stored(kind, _readable(kind, value), ttl_ms)
            for key, kind, ttl_ms, value in rows
            if own_keys or OWN_KEYS not in key
        }

    def fingerprint(self) -> Fingerprint:
        """Of every key but toril's own; taken far sooner than a dump."""
        return Fingerprint(*self.command("EVAL", _FINGERPRINT, 0, OWN_KEYS))

    def events(self, base: str) -> list[dict[str, str]]:
        """The events of the queue whose keys begin with ``base``, oldest first."""
        found = self.dump().get(f"{base}events")
        return cast("list[dict[str, str]]", found.value) if found else []

    def clients(self) -> list[dict[str, str]]:
        """Who is connected, but for this object."""
        own = str(self.command("CLIENT", "ID"))
        lines = str(self.command("CLIENT", "LIST")).splitlines()
        found = [_parts(line) for line in lines]
        return [client for client in found if client["id"] != own]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def _parts(line: str) -> dict[str, str]:
    pairs = (word.partition("=") for word in line.split())
    return {name: value for name, _, value in pairs}


def _readable(kind: str, value: Any) -> Any:
    if kind in ("hash", "zset"):
        return _pairs(value)
    if kind == "stream":
        return [_pairs(fields) for _, fields in value]
    return value


def _pairs(flat: Sequence[str]) -> dict[str, str]:
    words = iter(flat)
    return dict(zip(words, words, strict=True))
