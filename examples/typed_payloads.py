"""One worker, a handler for each name of jobs, and payloads that are checked before a handler runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date

from toril import BlockingJob, JobFailed, Queue, Worker


@dataclass
class Line:
    article: str
    price: int


@dataclass
class Order:
    customer: str
    placed: date
    lines: list[Line]


async def invoice(order: Order) -> str:
    return f"{order.customer} owes {sum(line.price for line in order.lines)} since {order.placed:%A}"


def ship(job: BlockingJob, articles: list[str]) -> str:
    return f"{job.name} {' and '.join(articles)}"


async def main() -> None:
    worker = Worker("orders", {"invoice": invoice, "ship": ship})
    async with Queue("orders") as queue, worker:
        good = Order("Anna", date(2030, 1, 1), [Line("pen", 3), Line("ink", 9)])
        # As a program without our classes may send it.
        bad = {"customer": "Ben", "placed": "2030-01-01", "lines": [{"article": "pen", "price": "3"}]}

        for name, data in (("invoice", good), ("ship", ["pen", "ink"]), ("invoice", bad), ("shop", {})):
            job = await queue.add(name, data, attempts=5)
            try:
                print(await job.result(timeout=10))
            except JobFailed as failed:
                print(failed.reason)


asyncio.run(main())

# Output:
# Anna owes 12 since Tuesday
# ship pen and ink
# data does not fit Order: Expected `int`, got `str` - at `$.lines[0].price`
# there is no handler for jobs named 'shop'; did you mean 'ship'? known are 'invoice', 'ship'
