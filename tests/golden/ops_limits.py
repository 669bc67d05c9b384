"""Steps that limit a queue."""

from __future__ import annotations

import math

from tests.golden.ops_queue import queue_of
from tests.golden.session import Session
from tests.golden.times import duration
from tests.golden.values import JSON, Args

# What the server has for keys that do not expire, and for those that are not there.
_ENDLESS, _ABSENT = -1, -2


async def set_global_concurrency(session: Session, args: Args) -> JSON:
    await queue_of(session, args).set_global_concurrency(args.integer("concurrency"))
    return None


async def get_global_concurrency(session: Session, args: Args) -> JSON:
    return await queue_of(session, args).get_global_concurrency()


async def remove_global_concurrency(session: Session, args: Args) -> JSON:
    await queue_of(session, args).remove_global_concurrency()
    return None


async def is_maxed(session: Session, args: Args) -> JSON:
    return await queue_of(session, args).is_maxed()


async def set_global_rate_limit(session: Session, args: Args) -> JSON:
    window = duration(args.integer("duration"))
    await queue_of(session, args).set_global_rate_limit(args.integer("max"), window)
    return None


async def get_global_rate_limit(session: Session, args: Args) -> JSON:
    limit = await queue_of(session, args).get_global_rate_limit()
    if limit is None or not isinstance(limit.per, int | float):
        return None
    return {"max": limit.max, "duration": round(limit.per * 1000)}


async def remove_global_rate_limit(session: Session, args: Args) -> JSON:
    await queue_of(session, args).remove_global_rate_limit()
    return None


async def rate_limit(session: Session, args: Args) -> JSON:
    await queue_of(session, args).rate_limit(duration(args.integer("ms")))
    return None


async def remove_rate_limit_key(session: Session, args: Args) -> JSON:
    await queue_of(session, args).remove_rate_limit_key()
    return None


async def rate_limit_ttl(session: Session, args: Args) -> JSON:
    # BullMQ takes 0 for "none given".
    most = args.integer("maxJobs", 0) or None
    seconds = await queue_of(session, args).get_rate_limit_ttl(most)
    if seconds is None:
        return _ABSENT
    return _ENDLESS if seconds == math.inf else round(seconds * 1000)


OPERATIONS = {
    "queue.getGlobalConcurrency": get_global_concurrency,
    "queue.getGlobalRateLimit": get_global_rate_limit,
    "queue.getRateLimitTtl": rate_limit_ttl,
    "queue.isMaxed": is_maxed,
    "queue.rateLimit": rate_limit,
    "queue.removeGlobalConcurrency": remove_global_concurrency,
    "queue.removeGlobalRateLimit": remove_global_rate_limit,
    "queue.removeRateLimitKey": remove_rate_limit_key,
    "queue.setGlobalConcurrency": set_global_concurrency,
    "queue.setGlobalRateLimit": set_global_rate_limit,
}
