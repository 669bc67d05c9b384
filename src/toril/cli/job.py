"""``toril job``: everything about one job."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toril.cli.output import brief, plain, say, show_json, show_table
from toril.cli.running import Settings, command
from toril.cli.spans import shown

if TYPE_CHECKING:
    from rich.tree import Tree

    from toril import Job, JobNode, Queue
    from toril.cli.connection import Connected

# Rows of the log that people are shown, the latest.
_LOG_ROWS = 50


@command
async def job(
    settings: Settings,
    id: Annotated[str, typer.Argument(metavar="ID", help="Id of the job.")],
    queue: Annotated[
        str | None, typer.Option(help="Its queue; without, all are looked through.", show_default=False)
    ] = None,
    depth: Annotated[int, typer.Option(min=1, help="Levels of its tree to show.")] = 5,
) -> None:
    """Show everything about a job: state, payload, result, failures, log, timeline, lock, parent, tree."""
    from toril.cli.connection import connected

    async with connected(settings) as server:
        found = await _look(server, *await server.job(id, queue), depth)
    if settings.json:
        show_json(found)
    else:
        _show(found)


async def _look(server: Connected, queue: Queue, job: Job, depth: int) -> dict[str, Any]:
    from toril import FlowProducer
    from toril.cli.shapes import job_shape, tree_shape

    state = await job.state()
    locks = await queue.get_locks([job.id])
    logs = await job.logs(-1000)
    flows = FlowProducer(store=server.store, prefix=server.prefix)
    tree = await flows.get_flow(queue.name, job.id, depth=depth)
    return {
        **job_shape(job, state),
        "timeline": timeline(job, state),
        "logs": {"rows": logs.rows, "count": logs.count},
        "lock": {"token": lock.token, "expires_in": lock.expires_in} if (lock := locks.get(job.id)) else None,
        "dependencies": await job.dependency_counts(),
        "tree": tree_shape(tree, await _states(tree)) if tree is not None else None,
    }


def timeline(job: Job, state: str) -> list[dict[str, Any]]:
    """What happened to a job and when, as far as that is stored, and what is to come."""
    delay = job.opts.get("delay")
    due = job.created_at + timedelta(milliseconds=delay) if isinstance(delay, int) and delay > 0 else None
    steps = (
        ("added", job.created_at),
        ("due", due),
        ("started", job.processed_at),
        (state if state in ("completed", "failed") else "finished", job.finished_at),
    )
    return [{"event": event, "at": at} for event, at in steps if at is not None]


async def _states(tree: JobNode) -> dict[str, str]:
    """The state of each job of a tree, by its key."""
    states: dict[str, str] = {}
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        states[node.job.queue.job_key(node.job.id)] = await node.job.state()
        nodes.extend(node.children)
    return states


def _show(job: dict[str, Any]) -> None:
    show_table(("JOB", plain(job["id"])), _facts(job))
    for title, text in (("DATA", job["data"]), ("OPTIONS", job["options"]), ("RESULT", job["result"])):
        if text is not None:
            _section(title, _pretty(text))
    if job["failed_reason"]:
        _section("REASON", plain(job["failed_reason"]))
    for number, trace in enumerate(job["stacktrace"], 1):
        _section(f"STACK {number}", plain(trace).rstrip())
    _section("TIMELINE", "\n".join(_steps(job["timeline"])))
    if rows := job["logs"]["rows"][-_LOG_ROWS:]:
        _section(f"LOG ({len(rows)} of {job['logs']['count']} rows)", "\n".join(map(plain, rows)))
    if job["tree"] and job["tree"]["children"]:
        from toril.cli.output import console

        say("\nTREE")
        console().print(_drawn(job["tree"]))


def _facts(job: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    lock = job["lock"]
    yield "queue", job["queue"]
    yield "name", job["name"]
    yield "state", job["state"]
    yield "attempts", f"{job['attempts_made']} of {job['attempts']}, started {job['attempts_started']} times"
    if lock is not None:
        yield "lock", f"{lock['token']}, expires in {shown(lock['expires_in'])}"
    elif job["state"] == "active":
        yield "lock", "none: its worker is gone"
    for key in ("priority", "progress", "stalled", "worker", "parent", "scheduler", "deduplication_id"):
        if job[key]:
            yield key.replace("_", " "), job[key]


def _steps(timeline: list[dict[str, Any]]) -> Iterator[str]:
    before: datetime | None = None
    for step in timeline:
        since = f"  (+{shown((step['at'] - before).total_seconds())})" if before is not None else ""
        before = step["at"]
        yield f"{step['at'].isoformat(sep=' ', timespec='milliseconds')}  {step['event']}{since}"


def _pretty(value: Any) -> str:
    import msgspec

    return plain(msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode())


def _section(title: str, text: str) -> None:
    say(f"\n{title}")
    say(text)


def _drawn(node: dict[str, Any]) -> Tree:
    from rich.text import Text
    from rich.tree import Tree

    def label(node: dict[str, Any]) -> Text:
        return Text(brief(f"{node['queue']} {node['id']} {node['name']}: {node['state']}"))

    def grow(branch: Tree, children: list[dict[str, Any]]) -> None:
        for child in children:
            grow(branch.add(label(child)), child["children"])

    tree = Tree(label(node))
    grow(tree, node["children"])
    return tree
