"""One run of the shop: fill the queues, keep a worker process running, watch it, look at what came of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from rich.console import Console

from examples.shop.check import Result, find_problems
from examples.shop.display import open_board
from examples.shop.folder import Folder, open_folder
from examples.shop.mailserver import MailServer, mail_server
from examples.shop.orders import Order, make_orders
from examples.shop.photos import Product, free_products, own_products
from examples.shop.problem import Problem
from examples.shop.progress import Progress, Work
from examples.shop.staff import WorkerProcess
from examples.shop.summary import show
from examples.shop.thumbnails import SIZES
from toril import AddOptions, Backoff, Job, JobSpec, Queue
from toril.embedded import status

# Mails that are refused are tried again after about 0.5, 1, 2 and 4 s, not all at the same moment.
_RECEIPT_OPTIONS: AddOptions = {"attempts": 5, "backoff": Backoff.exponential(0.5, jitter=0.5)}
# A disk may have a bad moment; a photo that is broken is not tried again, see its handler.
_THUMBNAIL_OPTIONS: AddOptions = {"attempts": 3, "backoff": 1}


@dataclass(frozen=True, slots=True)
class Options:
    """What the user wants.

    Attributes:
        photos: A folder of photos; ``None`` for those that come with the demo.
        orders: How many orders there are.
        out: Where everything goes.
        plain: Lines, even on a terminal.
        crash: Kill the worker process half-way.
        url: Of the server.
    """

    photos: Path | None
    orders: int
    out: Path
    plain: bool
    crash: bool
    url: str


async def run(options: Options, console: Console) -> bool:
    """Run the shop; answers whether everything was done.

    Raises:
        Problem: It can't be run.
    """
    products = _products(options, console)
    orders = make_orders(options.orders, [product.name for product in products])
    with open_folder(options.out) as folder:
        result = await _serve(options, folder, orders, products, console)
        console.print("looking at every mail and every thumbnail", highlight=False)
        problems = find_problems(result)
        show(result, problems, console)
    return not problems


async def _serve(
    options: Options, folder: Folder, orders: Sequence[Order], products: Sequence[Product], console: Console
) -> Result:
    # Each run has keys of its own, so that what earlier ones have left behind is not in the way.
    prefix = f"shop-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}"
    receipts = Queue("receipts", url=options.url, prefix=prefix, default_job_options=_RECEIPT_OPTIONS)
    thumbnails = Queue("thumbnails", url=options.url, prefix=prefix, default_job_options=_THUMBNAIL_OPTIONS)
    async with mail_server(folder.mails) as mails, receipts, thumbnails:
        await _fill(receipts, thumbnails, orders, products)
        _introduce(options, orders, products, console)
        works = {"receipts": Work(receipts, len(orders)), "thumbnails": Work(thumbnails, len(products))}
        seconds, deaths = await _work(options, prefix, folder, mails, works, console)
        finished = [await queue.get_jobs(("completed", "failed")) for queue in (receipts, thumbnails)]
    jobs = {job.id: job for job in chain(*finished)}
    return Result(orders, products, folder, mails, jobs, deaths, seconds, prefix)


def _products(options: Options, console: Console) -> Sequence[Product]:
    if options.photos is None:
        return free_products()
    products, others = own_products(options.photos)
    if others:
        named = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
        console.print(f"left out, as no photos by their names: {named}", markup=False, highlight=False)
    return products


def _introduce(
    options: Options, orders: Sequence[Order], products: Sequence[Product], console: Console
) -> None:
    lines = [
        f"{len(orders)} receipts to send, {len(products)} photos to make {len(SIZES)} thumbnails of each"
    ]
    if options.url.startswith("embedded:"):
        server = status(options.url.removeprefix("embedded:"))
        lines.append(f"a Valkey of our own runs as process {server.pid}, its data is in {server.home}")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


async def _fill(
    receipts: Queue, thumbnails: Queue, orders: Sequence[Order], products: Sequence[Product]
) -> None:
    pictures = [
        JobSpec("thumbnails", {"product": product.id, "photo": product.photo}, {"job_id": product.job_id})
        for product in products
    ]
    mails = [JobSpec("receipt", order, {"job_id": order.job_id}) for order in orders]
    for answer in [*await thumbnails.add_many(pictures), *await receipts.add_many(mails)]:
        if not isinstance(answer, Job) or not answer.created:
            raise Problem(f"a job could not be added: {answer}")


async def _work(
    options: Options, prefix: str, folder: Folder, mails: MailServer, works: dict[str, Work], console: Console
) -> tuple[float, int]:
    """Keep a worker process at work until all jobs are finished; answers the seconds and its deaths."""
    arguments = ["examples.shop.worker", "--url", options.url, "--prefix", prefix]
    arguments += ["--mail-port", str(mails.port), "--folder", str(folder.thumbnails)]
    with open_board(console, plain=options.plain) as board:
        progress = Progress(works, board)
        staff = WorkerProcess(arguments, folder.log, progress.told)
        try:
            async with asyncio.TaskGroup() as tasks:
                keeper = tasks.create_task(staff.keep())
                seconds = await progress.until_done(staff.kill if options.crash else None)
                keeper.cancel()
        except* Problem as problems:
            raise problems.exceptions[0] from None
    return seconds, staff.deaths
