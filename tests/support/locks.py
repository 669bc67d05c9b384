"""Looking at the locks of running jobs from outside."""

from __future__ import annotations

from tests.support.database import Database
from tests.support.eventually import eventually


async def renewed(database: Database, lock: str) -> None:
    """Wait until a lock is renewed: nothing else gives it more time than it had."""
    left = database.command("PTTL", lock)

    def has_more() -> bool:
        nonlocal left
        before, left = left, database.command("PTTL", lock)
        return left > before

    await eventually(has_more)
