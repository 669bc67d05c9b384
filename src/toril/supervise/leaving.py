"""The end of a process: nothing that handlers have left behind may hold it up."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NoReturn, cast

from toril.supervise.plan import Exit

_logger = logging.getLogger("toril.worker")

# Seconds that tasks and threads have which were left behind by handlers, or go on though they were cancelled.
_LAST_WORDS = 1.0

# What Python calls at the end of a process that is let come to one; it has no public name.
_call_at_exit = cast("Callable[[], None]", vars(atexit)["_run_exitfuncs"])


def leave_if_held_up(runner: asyncio.Runner, executor: ThreadPoolExecutor) -> None:
    """End the process here if tasks or threads go on, for which a loop that closes would wait for ever.

    Args:
        runner: Whose workers are closed.
        executor: In which its loop calls what ``asyncio.to_thread`` is given.
    """
    tasks, threads = runner.run(_deaf_tasks()), _go_on(executor)
    if tasks or threads:
        left = {"tasks": tasks, "threads": threads}
        _logger.error("leaving though handlers go on that were told to end", extra=left)
        _leave()


async def _deaf_tasks() -> int:
    """Cancel the tasks that are left; answers how many go on."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    return len((await asyncio.wait(left, timeout=_LAST_WORDS))[1]) if left else 0


def _go_on(executor: ThreadPoolExecutor) -> bool:
    """Whether threads of it still do something."""
    ending = threading.Thread(target=partial(executor.shutdown, cancel_futures=True), daemon=True)
    ending.start()
    ending.join(_LAST_WORDS)
    return ending.is_alive()


def _leave() -> NoReturn:
    """End the process without its loop.

    What is registered for the end of a process is called, such as what gives back an embedded server.
    """
    try:
        _call_at_exit()
        sys.stdout.flush()
    finally:
        os._exit(Exit.DONE)
