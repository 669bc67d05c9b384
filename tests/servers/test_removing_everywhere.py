"""Removing with a look through all keys, at every kind of server: in a cluster, those of one node."""

from __future__ import annotations

import pytest

from tests.servers.places import Place
from toril import Queue

pytestmark = pytest.mark.usefixtures("no_leaks")


def lose_waiting_jobs(place: Place, queue: Queue) -> None:
    """Delete the list of what waits, wherever it is."""
    key = f"{queue.ref.base}wait"
    for server in place.servers:
        with server.database(place.db) as database:
            if key in database.command("KEYS", "*"):
                assert database.command("DEL", key) == 1


async def test_a_queue_is_removed_to_the_last_key(queue: Queue, place: Place, prefix: str) -> None:
    await queue.add_many([("work", n, {"deduplication": {"id": f"d{n}"}}) for n in range(250)])
    await queue.rate_limit(60)
    assert len(await queue.clean(limit=50, state="waiting")) == 50

    await queue.obliterate(everything=True)

    assert [key for key in place.stored_keys() if key.startswith(prefix)] == []


async def test_jobs_that_no_list_has_any_more_are_found(queue: Queue, place: Place, prefix: str) -> None:
    await queue.add_many([("lost", n) for n in range(250)])
    lose_waiting_jobs(place, queue)
    kept = await queue.add("kept")

    assert await queue.remove_orphans() == 250
    jobs = [key for key in place.stored_keys() if key.removeprefix(f"{prefix}:tasks:").isdigit()]
    assert jobs == [f"{prefix}:tasks:{kept.id}"]
