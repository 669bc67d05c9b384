"""A job that waits for other jobs, in other queues, and reads what they returned."""

from __future__ import annotations

import asyncio

from toril import Flow, FlowProducer, Job, JobFailed, Worker

STOCK = {"pens": 3, "ink": 9}


async def count(job: Job) -> int:
    return STOCK[job.data]


async def report(job: Job) -> str:
    found = await job.children_values()
    missing = await job.ignored_failures()
    return f"{sum(found.values())} things, {len(missing)} not found"


def inventory(*shelves: str, strict: bool = False) -> Flow:
    # What the failure of a child means for its parent is said by the child.
    on_failure = "fail_parent" if strict else "ignore"
    children = [Flow("count", shelf, queue="stock", on_failure=on_failure) for shelf in shelves]
    return Flow("report", queue="reports", children=children)


async def main() -> None:
    async with FlowProducer() as producer, Worker("stock", count), Worker("reports", report):
        # All jobs are added in one step; the report runs when both are counted.
        tree = await producer.add(inventory("pens", "ink"))
        print([child.job.data for child in tree.children], "make", await tree.job.result(timeout=10))

        tree = await producer.add(inventory("pens", "glue"))
        print(await tree.job.result(timeout=10))

        tree = await producer.add(inventory("pens", "glue", strict=True))
        try:
            await tree.job.result(timeout=10)
        except JobFailed as failed:
            child = failed.caused_by_child
            print("no report:", child and child.reason)


asyncio.run(main())

# Output:
# ['pens', 'ink'] make 12 things, 0 not found
# 3 things, 1 not found
# no report: 'glue'
