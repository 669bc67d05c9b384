"""Not doing the same thing twice: ids of your own, and deduplication."""

from __future__ import annotations

import asyncio

from toril import Dedup, DuplicateJob, Queue


async def main() -> None:
    async with Queue("invoices") as queue:
        # An id of your own names the job: there is one of it, as long as it is kept.
        first = await queue.add("invoice", {"order": 4711}, job_id="invoice-4711")
        second = await queue.add("invoice", {"order": 4711, "again": True}, job_id="invoice-4711")
        print(first.created, second.created, second.data)

        try:
            await queue.add("invoice", {}, job_id="invoice-4711", on_duplicate="raise")
        except DuplicateJob:
            print("there is one already")

        third = await queue.add("invoice", {"order": "new"}, job_id="invoice-4711", on_duplicate="replace")
        print(third.created, third.data)

        # A deduplication id says what the job is about: no second one until the first is finished.
        about = Dedup.simple("customer-7")
        fourth = await queue.add("remind", {"customer": 7}, deduplication=about)
        fifth = await queue.add("remind", {"customer": 7}, deduplication=about)
        print(fourth.created, fifth.created, fourth.id == fifth.id)

        print("waiting", await queue.get_waiting_count())
        await third.remove()
        await fourth.remove()


asyncio.run(main())

# Output:
# True False {'order': 4711}
# there is one already
# True {'order': 'new'}
# True False True
# waiting 2
