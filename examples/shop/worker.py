"""The worker process of the shop: two workers, for receipts and for thumbnails.

It works until it gets SIGTERM, or until the program that started it is gone. What happens with the jobs is
written to standard output, a line of JSON for each event.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from examples.shop.receipts import Receipts
from examples.shop.thumbnails import Thumbnails
from toril import Job, Unrecoverable, Worker, WorkerOptions

# Receipts that are on their way at once; they wait for the mail server, not for this machine.
_MAILS = 5
# Should this process be killed, its jobs are found after their locks have run out, by the second look.
_LOCK, _LOOK = 5.0, 2.0


async def work(url: str, prefix: str, mail_port: int, folder: Path) -> None:
    """Run the two workers until told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # Nothing is ever written there: it is readable when its other end is gone.
    loop.add_reader(sys.stdin.fileno(), stop.set)
    send, make = Receipts(mail_port).send, Thumbnails(folder).make
    mails = Worker("receipts", send, url=url, prefix=prefix, **_options(_MAILS))
    photos = Worker("thumbnails", make, url=url, prefix=prefix, **_options(os.cpu_count() or 1))
    for worker in (mails, photos):
        report(worker)
    async with mails, photos:
        await stop.wait()
        # Both at once: neither is to take jobs while the other one finishes what it runs.
        await asyncio.gather(mails.close(), photos.close())


def report(worker: Worker) -> None:
    """Tell the program that started us what happens with the jobs."""

    def tell(event: str, id: str, **facts: object) -> None:
        # When nobody is left to be told, we are about to stop as well.
        with suppress(BrokenPipeError):
            print(json.dumps({"event": event, "queue": worker.queue_name, "job": id, **facts}), flush=True)

    def failed(job: Job | None, error: BaseException, _previous_state: str) -> None:
        if job is not None:
            attempts = f"{job.attempts_made} of {job.attempts}"
            final = isinstance(error, Unrecoverable) or job.attempts_made >= job.attempts
            tell("failed", job.id, reason=str(error), attempts=attempts, final=final)

    worker.on("failed", failed)

    def stalled(id: str) -> None:
        tell("stalled", id)

    worker.on("stalled", stalled)


def _options(concurrency: int) -> WorkerOptions:
    return {"concurrency": concurrency, "lock_duration": _LOCK, "stalled_interval": _LOOK}


def main() -> None:
    """Read what the demo says on the command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.shop.worker")
    parser.add_argument("--url", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--mail-port", required=True, type=int)
    parser.add_argument("--folder", required=True, type=Path)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    arguments = parser.parse_args()
    asyncio.run(work(arguments.url, arguments.prefix, arguments.mail_port, arguments.folder))


if __name__ == "__main__":
    main()
