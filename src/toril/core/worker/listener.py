"""Waiting for word of jobs, on a connection of its own."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol

from toril.core.worker.courier import FIRST_PAUSE, Courier
from toril.core.worker.settings import Settings
from toril.errors import StoreError
from toril.model.names import QueueRef
from toril.store.contract import Store, Waiter


class Hearer(Protocol):
    """Who wants word of jobs while its queue is quiet; see ``Feeder``."""

    queue: QueueRef
    quiet: asyncio.Event
    due_ms: int

    def expect(self, due_ms: int) -> None: ...
    async def hear(self) -> None: ...


class Listener:
    """Waits for word of the jobs of one queue."""

    def __init__(self, store: Store, settings: Settings, courier: Courier, hearer: Hearer) -> None:
        self._store = store
        self._settings = settings
        self._courier = courier
        self._hearer = hearer

    async def listen(self) -> None:
        """Wait for word whenever there is nothing to be had, until cancelled."""
        waiter = self._store.waiter(self._hearer.queue, self._settings.name)
        pause = FIRST_PAUSE
        try:
            # One that has enough to do counts as a worker of its queue, too.
            with suppress(StoreError):
                await waiter.connect()
            while True:
                await self._hearer.quiet.wait()
                try:
                    heard = await self._listen_once(waiter)
                    self._courier.found("listening")
                    pause = FIRST_PAUSE
                except StoreError as error:
                    self._courier.lost("listening", error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, self._settings.run_retry_delay)
                    await self._probe(waiter)
                    heard = True
                if heard:
                    await self._hearer.hear()
        finally:
            self._hearer.expect(0)
            self._courier.found("listening")
            await waiter.close()

    async def _probe(self, waiter: Waiter) -> None:
        """Whether the server can be heard again. A word that comes is heeded: all is looked at anyway."""
        with suppress(StoreError):
            await waiter.wait(0)
            self._courier.found("listening")

    async def _listen_once(self, waiter: Waiter) -> bool:
        """Wait until a job may be had: at a word, or because one is there without word of it."""
        while True:
            due_ms, timeout = self._hearer.due_ms, self._settings.drain_delay
            if due_ms:
                timeout = min(timeout, max(due_ms - self._store.now_ms(), 0) / 1000)
            word = await waiter.wait(timeout)
            if word is None:
                return self._hearer.due_ms == due_ms and await self._is_time_to_look(waiter, due_ms)
            if word <= self._store.now_ms():
                return True
            self._hearer.expect(min(self._hearer.due_ms, word) if self._hearer.due_ms else word)

    async def _is_time_to_look(self, waiter: Waiter, due_ms: int) -> bool:
        """After a wait without word, which may have been lost, and which the alarm did not end."""
        return 0 < due_ms <= self._store.now_ms() or not await waiter.is_quiet(due_ms)
