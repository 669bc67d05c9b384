"""A worker in a process of its own, so that it can be killed: `python -m tests.interop.lone_worker`.

Its arguments are the URL of the server, the prefix and the queue. It prints a line of JSON when it is
ready, and for each job that it starts.
"""

from __future__ import annotations

import asyncio
import json
import sys

from tests.interop.scripted import scripted
from toril import Job, Worker


def note_ready() -> None:
    print(json.dumps({"event": "ready"}), flush=True)


def note_start(job: Job) -> None:
    print(json.dumps({"event": "active", "jobId": job.id}), flush=True)


async def main(url: str, prefix: str, queue: str) -> None:
    worker = Worker(
        queue, scripted, url=url, prefix=prefix, lock_duration=1.0, stalled_interval=0.3, concurrency=5
    )
    worker.on("ready", note_ready)
    worker.on("active", note_start)
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
