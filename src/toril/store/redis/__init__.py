"""The store on Redis or Valkey; the one package that talks to the server's client."""

from toril.store.redis.store import RedisStore, open_redis

__all__ = ["RedisStore", "open_redis"]
