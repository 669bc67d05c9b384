"""Waiting for a fact inside the program."""

from __future__ import annotations

import asyncio


async def wait_for(fact: asyncio.Event, seconds: float | None) -> bool:
    """Wait until it is set, at most so long; whether it is."""
    try:
        async with asyncio.timeout(seconds):
            return await fact.wait()
    except TimeoutError:
        return False
