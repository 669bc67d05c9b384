"""Adds jobs of all kinds, all the time, and notes what the server has acknowledged."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from random import Random
from typing import Any

from tests.soak.ledger import Ledger, Promise
from tests.soak.plan import Plan
from tests.soak.work import CHILDREN, LOOP, PARENTS, QUEUES, THREADS, task_of
from toril import AddOptions, Flow, JobSpec, StoreUnavailable
from toril.sync import FlowProducer, JobNode, Queue

#: The scheduler, and seconds between its jobs.
TICK, PACE_OF_TICKS = "tick", 1.0

# The judge counts events, so none may be dropped.
_MOST_EVENTS = 100_000_000
# Seconds that a long job takes: longer than a stop lets it run.
_LONG = 3.0
# A job that is to fail has attempts to spare: children that are killed take some.
_ATTEMPTS = 20


class Producer:
    """Adds jobs in a thread of its own, from ``with`` on, until stopped.

    Args:
        url: Of the server.
        plan: Says how often it adds, and what.

    Attributes:
        queues: By their names.
        count: How many jobs were to be added.
    """

    def __init__(self, url: str, ledger: Ledger, plan: Plan) -> None:
        self.queues = {name: Queue(name, url=url, max_events=_MOST_EVENTS) for name in QUEUES}
        self.count = 0
        self._flows = FlowProducer(url=url)
        self._ledger = ledger
        self._random = Random(f"{plan.seed} jobs")
        self._plan = plan
        self._numbers = itertools.count(1)
        self._stop = threading.Event()
        self._adding: Future[None] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Producer:
        for linked in (*self.queues.values(), self._flows):
            self._stack.enter_context(linked)
        template = JobSpec(TICK, {"seconds": 0.01})
        self.queues[PARENTS].upsert_job_scheduler(TICK, template, every=PACE_OF_TICKS)
        self._adding = self._stack.enter_context(ThreadPoolExecutor(1)).submit(self._add_all)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._stack.close()

    def stop(self) -> None:
        """Add no more.

        Raises:
            BaseException: Whatever has ended it before.
        """
        self._stop.set()
        if self._adding is not None:
            self._adding.result()

    def _add_all(self) -> None:
        while not self._stop.wait(1 / self._plan.rate):
            self._add_tree() if self._random.random() < 0.08 else self._add_one()

    # --- one job ---

    def _add_one(self) -> None:
        queue = self._random.choices([LOOP, THREADS, CHILDREN], [6, 3, 1])[0]
        promise, data, options = self._draw()
        if self._random.random() < 0.2:
            options["job_id"] = f"own-{promise.n}"
        self._ledger.promise([promise])
        self.count += 1
        while not self._added(queue, promise, data, options) and "job_id" in options:
            # An id makes it safe to try again.
            pass

    def _added(self, queue: str, promise: Promise, data: Any, options: AddOptions) -> bool:
        try:
            job = self.queues[queue].add("job", data, **options)
            if "job_id" in options:
                # What comes twice is done once.
                job = self.queues[queue].add("job", data, **options)
        except StoreUnavailable:
            return False
        self._ledger.acknowledge({promise.n: task_of(queue, job.id)})
        return True

    def _draw(self, parent: int | None = None) -> tuple[Promise, dict[str, Any], AddOptions]:
        """A job with whatever makes its life eventful."""
        random, n = self._random, next(self._numbers)
        options: AddOptions = {"attempts": _ATTEMPTS, "backoff": 0.2}
        failures, due = int(random.random() < 0.15), 0.0
        if random.random() < 0.15:
            options["priority"] = random.randint(1, 5)
        if random.random() < 0.15:
            options["delay"] = delay = random.uniform(0.2, 4)
            due = time.time() + delay
        seconds = _LONG if random.random() < self._plan.long_share else random.uniform(0, 0.3)
        return (
            Promise(n, failures, due, parent),
            {"n": n, "seconds": seconds, "failures": failures},
            options,
        )

    # --- trees ---

    def _add_tree(self) -> None:
        promise, data, options = self._draw()
        # A parent's delay begins when its children are done.
        options.pop("delay", None)
        children = [self._draw(promise.n) for _ in range(self._random.randint(1, 4))]
        promises = [Promise(promise.n, promise.failures), *(each[0] for each in children)]
        flow = Flow(
            "parent", data, queue=PARENTS, children=[self._child(*each) for each in children], **options
        )
        self._ledger.promise(promises)
        self.count += len(promises)
        try:
            node = self._flows.add(flow)
        except StoreUnavailable:
            return
        self._ledger.acknowledge(_tasks(promises, node))

    def _child(self, promise: Promise, data: Any, options: AddOptions) -> Flow:
        queue = self._random.choice([LOOP, THREADS, CHILDREN])
        return Flow("child", data, queue=queue, **options)


def _tasks(promises: Sequence[Promise], root: JobNode) -> dict[int, str]:
    jobs = [root.job, *(child.job for child in root.children)]
    return {promise.n: task_of(job.queue_name, job.id) for promise, job in zip(promises, jobs, strict=True)}
