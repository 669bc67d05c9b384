"""Node adds jobs of several names; one worker of toril has a handler for each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from tests.interop.conftest import Working
from tests.interop.node import NodeError, NodePeer
from toril import BlockingJob, Job


@dataclass
class Mail:
    to: str
    at: datetime
    copies: int = 1


async def send(mail: Mail) -> list[object]:
    assert mail.at == datetime(2030, 1, 1, tzinfo=UTC)
    return [mail.to, mail.copies]


def resize(job: BlockingJob, sizes: list[int]) -> int:
    job.update_progress(len(sizes))
    return sum(sizes)


async def other(job: Job) -> str:
    return f"other: {job.name}"


async def test_each_name_finds_its_handler(node: NodePeer, working: Working) -> None:
    async with working({"send": send, "resize": resize, "*": other}):
        jobs = [
            await node.add("send", {"to": "anna", "at": "2030-01-01T00:00:00.000Z"}),
            await node.add("resize", [1, 2, 3]),
            await node.add("überraschung"),
        ]
        results = [await node.result(job["id"]) for job in jobs]

    assert results == [["anna", 1], 6, "other: überraschung"]
    assert (await node.job(jobs[1]["id"]))["progress"] == 3


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("sent", {}, "there is no handler for jobs named 'sent'; did you mean 'send'? known are 'send'"),
        ("send", {"to": 5}, "data does not fit Mail: Expected `str`, got `int` - at `$.to`"),
        ("send", None, "data does not fit Mail: Object missing required field `to`"),
    ],
)
async def test_node_reads_why_a_job_could_not_be_handled(
    node: NodePeer, working: Working, name: str, data: object, reason: str
) -> None:
    async with working({"send": send}):
        if data is None:
            job = await node.request("add", queue="work", name=name, opts={"attempts": 5})
        else:
            job = await node.add(name, data, attempts=5)
        with pytest.raises(NodeError, match=r"there is no handler|data does not fit"):
            await node.result(job["id"])

    read = await node.job(job["id"])
    assert (read["state"], read["failedReason"]) == ("failed", reason)
    assert (read["attemptsMade"], read["attemptsStarted"], read["stacktraceLength"]) == (1, 1, 1)
