"""A process that works: alone, or as one of several that a supervisor keeps.

``python -m toril.supervise.process PLAN NUMBER DESCRIPTOR`` is what a supervisor starts.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from importlib.util import find_spec

import msgspec

from toril import Worker
from toril.errors import OptionError, StoreError
from toril.supervise.banner import Banner
from toril.supervise.health import health_server
from toril.supervise.leaving import leave_if_held_up
from toril.supervise.link import Link, Report
from toril.supervise.logs import set_up_logs
from toril.supervise.pages import View, page_of
from toril.supervise.plan import Exit, Plan
from toril.supervise.serving import Serving
from toril.supervise.target import TargetFailed, choose, load, users_part

_logger = logging.getLogger("toril.worker")


def complain(text: str) -> None:
    """Say on stderr what is wrong."""
    sys.stderr.write(f"{text}\n")


def work(plan: Plan, number: int | None = None, end: socket.socket | None = None) -> Exit:
    """Import the target, and run its workers until they are closed.

    Args:
        plan: What to run, and how.
        number: Of this process; ``None`` for the only one.
        end: To the supervisor, if there is one.
    """
    set_up_logs(plan.log_level, plan.log_format, number)
    try:
        workers = choose(load(plan.target), plan.queues)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            executor = ThreadPoolExecutor(thread_name_prefix="asyncio")
            runner.get_loop().set_default_executor(executor)
            runner.run(_serve(plan, workers, end))
            leave_if_held_up(runner, executor)
    except TargetFailed as failed:
        complain(f"{failed}\ntoril: {plan.target} raised this; nothing was started")
    except OptionError as error:
        complain(f"toril: {error}")
    except StoreError as error:
        complain(f"toril: {error}")
        return Exit.UNAVAILABLE
    except Exception as error:
        _logger.error("a worker failed", exc_info=(type(error), error, users_part(error)))
        return Exit.FAILED
    else:
        return Exit.DONE
    return Exit.USAGE


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if find_spec("uvloop") is None:
        return None
    import uvloop

    return uvloop.new_event_loop


async def _serve(plan: Plan, workers: Sequence[Worker], end: socket.socket | None) -> None:
    if end is not None:
        link = await Link.on(end)
        try:
            await Serving(plan, workers, link.tell).run(link)
        finally:
            await link.close()
        return
    view = View(1)
    banner = Banner(plan)

    def hear(report: Report) -> None:
        view.hear(report)
        if report.kind == "ready":
            banner.show(report)

    async with AsyncExitStack() as stack:
        if plan.health is not None:
            banner.health = await stack.enter_async_context(
                health_server(plan.health, lambda path: page_of(path, [view], 0))
            )
        await Serving(plan, workers, hear).run(None)


def main(words: Sequence[str]) -> Exit:
    """What a supervisor starts."""
    plan, number, descriptor = words
    # What handlers start must not hold it open.
    os.set_inheritable(int(descriptor), False)
    end = socket.socket(fileno=int(descriptor))
    return work(msgspec.json.decode(plan, type=Plan), int(number), end)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
