"""Handlers and hooks that children of the tests import."""

from __future__ import annotations

import asyncio
import contextvars
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from toril import (
    BlockingJob,
    Delay,
    Job,
    JobNotInState,
    RateLimit,
    Retry,
    ReturnToWait,
    Unrecoverable,
    WaitForChildren,
)

# What is held on to for good.
HOARD: list[bytes] = []
STARTED: list[int] = []
# Of a handler that leaves a thread behind.
LATER = threading.Event()
THREADS: list[threading.Thread] = []
REFUSED: list[str] = []
BOUND: contextvars.ContextVar[str] = contextvars.ContextVar("BOUND", default="nothing")


@dataclass
class Order:
    """A payload."""

    what: str
    count: int = 1


class LocalLoss(Exception):
    """Made with what it does not keep in `args`."""

    def __init__(self, *, amount: int) -> None:
        super().__init__(f"lost {amount}")
        self.amount = amount


class Stubborn(Exception):
    """Can't be pickled at all."""

    def __reduce__(self) -> NoReturn:
        raise RuntimeError("not me")


class Exploding(Exception):
    """Can be pickled, but not read again."""

    def __reduce__(self) -> Any:
        return int, ("no number",)


def pid(job: BlockingJob) -> int:
    return os.getpid()


async def async_pid(job: Job) -> int:
    await asyncio.sleep(0)
    return os.getpid()


def where(job: BlockingJob) -> list[Any]:
    return [os.getpid(), threading.current_thread() is threading.main_thread(), os.getsid(0)]


async def where_async(job: Job) -> list[Any]:
    return [os.getpid(), threading.current_thread() is threading.main_thread(), os.getsid(0)]


def typed(order: Order) -> str:
    return f"{order.count} x {order.what}"


async def typed_with_job(job: Job, order: Order) -> str:
    await job.log(order.what)
    return f"{job.name}: {order.count} x {order.what}"


def gives_coroutine(job: BlockingJob) -> Any:
    async def later() -> str:
        await asyncio.sleep(0)
        return "later"

    return later()


def binds(job: BlockingJob) -> str:
    before = BOUND.get()
    BOUND.set(job.id)
    return before


async def binds_async(job: Job) -> str:
    before = BOUND.get()
    BOUND.set(job.id)
    return before


def verbs(job: BlockingJob) -> list[Any]:
    rows = job.log("one")
    job.update_progress({"done": 50})
    job.update_data(Order("tea", 2))
    return [rows, job.progress, job.data, job.state(), job.logs().rows, job.attempts_started]


async def async_verbs(job: Job) -> list[Any]:
    rows = await job.log("one")
    await asyncio.gather(job.update_progress(50), job.update_data(Order("tea", 2)))
    return [rows, job.progress, job.data, await job.state(), (await job.logs()).rows, job.attempts_started]


def threads_log(job: BlockingJob) -> int:
    threads = [threading.Thread(target=job.log, args=(f"row {n}",)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return job.logs().count


async def impatient(job: Job) -> int:
    """Does not wait for an answer that it has asked for."""
    try:
        async with asyncio.timeout(0.01):
            await job.result()
    except TimeoutError:
        await job.log("it took too long")
    return await job.log("and on")


def refused_verb(job: BlockingJob) -> str:
    try:
        job.promote()
    except JobNotInState as error:
        return f"{type(error).__name__}: {error}"
    return "promoted"


def bad_progress(job: BlockingJob) -> None:
    job.update_progress(object())


def steer(job: BlockingJob) -> str:
    if job.attempts_started > 1:
        return f"start {job.attempts_started}, made {job.attempts_made}"
    steers: dict[str, Exception] = {
        "retry": Retry("once more", delay=0.01),
        "delay": Delay(0.01),
        "wait": ReturnToWait(),
        "children": WaitForChildren(),
        "limit": RateLimit(0.01),
    }
    raise steers[job.data]


def unrecoverable(job: BlockingJob) -> None:
    class Final(Unrecoverable):
        pass

    raise Final("no more")


def odd_error(kind: str) -> BaseException:
    errors: dict[str, BaseException] = {
        "key": KeyError("colour"),
        "exit": SystemExit(4),
        "exit text": SystemExit("enough"),
        "interrupt": KeyboardInterrupt(),
        "generator": GeneratorExit(),
        "memory": MemoryError("no room"),
        "keywords": LocalLoss(amount=3),
        "stubborn": Stubborn("will not go"),
        "exploding": Exploding("goes, but does not arrive"),
        "function": ValueError("with a", lambda: None),
        "file": FileNotFoundError(2, "No such file", "/nowhere"),
        "group": ExceptionGroup("several", [LocalLoss(amount=1), KeyError("b")]),
        "unicode": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad start"),
        "cancelled": asyncio.CancelledError("by itself"),
    }
    return errors[kind]


def raises(job: BlockingJob) -> None:
    raise odd_error(job.data)


async def raises_async(job: Job) -> None:
    raise odd_error(job.data)


def local_error(job: BlockingJob) -> None:
    class Local(ValueError):
        pass

    raise Local("from within")


def returns(job: BlockingJob) -> Any:
    values: dict[str, Any] = {"object": object(), "order": Order("tea"), "nan": float("nan"), "none": None}
    return values[job.data]


def dies(job: BlockingJob) -> None:
    match job.data:
        case "exit":
            os._exit(3)
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "abort":
            os.abort()
        case _:
            os.closerange(3, 256)


def dies_once(job: BlockingJob) -> str:
    if job.attempts_started == 1:
        os._exit(7)
    return f"start {job.attempts_started}"


def out_of_memory(job: BlockingJob) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.RLIM_INFINITY))
    return len(bytearray(1 << 34))


def prints(job: BlockingJob) -> str:
    print("\0garbage" * 1000, flush=True)
    os.write(1, b"\xff" * 10_000)
    return "printed"


def scribbles(job: BlockingJob) -> None:
    """Writes into each file that it finds open."""
    for fd in range(3, 256):
        try:
            os.write(fd, b"\xff" * 1000)
        except OSError:
            continue
    time.sleep(30)


def hoards(job: BlockingJob) -> int:
    HOARD.append(b"x" * job.data)
    return os.getpid()


def patient(job: BlockingJob) -> str:
    """Looks whether it is cancelled."""
    job.log(f"started {os.getpid()}")
    while not job.cancelled:
        time.sleep(0.01)
    job.log("told")
    return "ended in order"


async def cancellable(job: Job) -> None:
    await job.log(f"started {os.getpid()}")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await job.log("told")
        raise


def deaf(job: BlockingJob) -> None:
    """Does not look, but has something to clean up."""
    job.log(f"started {os.getpid()}")
    try:
        time.sleep(60)
    finally:
        job.log("cleaned up")


def stubborn(job: BlockingJob) -> None:
    """Only a kill ends it, and what it has started."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    starts_a_program(job)


def starts_a_program(job: BlockingJob) -> None:
    """Starts a program, and goes on or dies."""
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    job.log(f"started {sleeper.pid}")
    if job.data == "dies":
        os._exit(3)
    time.sleep(60)


def started_list(job: BlockingJob) -> list[int]:
    return STARTED


def on_start() -> None:
    STARTED.append(os.getpid())


async def on_start_async() -> None:
    await asyncio.sleep(0)
    STARTED.append(-os.getpid())


def on_stop() -> None:
    with Path(os.environ["TORIL_TEST_STOPPED"]).open("a") as notes:
        notes.write(f"{os.getpid()}\n")


def bad_start() -> None:
    raise LookupError("no model to load")


def dying_start() -> None:
    os._exit(9)


def leaves_a_thread(job: BlockingJob) -> None:
    """Ends before a thread of it does, which is let go by the next job."""
    if job.data == "first":

        def late() -> None:
            LATER.wait(30)
            try:
                job.update_data("of the first")
            except JobNotInState as error:
                REFUSED.append(str(error))

        THREADS.append(threading.Thread(target=late))
        THREADS[0].start()


def lets_it_go(job: BlockingJob) -> list[str]:
    LATER.set()
    THREADS[0].join(30)
    return REFUSED
