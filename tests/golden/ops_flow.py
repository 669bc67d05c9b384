"""Steps that add trees of jobs.

toril has no call of its own for them yet, but its store adds a tree in one transaction, which is used here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.golden.options import job_options
from tests.golden.session import Session
from tests.golden.values import JSON, Args, as_mapping
from toril.core.payload import encode
from toril.core.queue import new_job
from toril.model.names import QueueRef
from toril.model.options import merge, resolve
from toril.model.parent import ParentRef
from toril.store.contract import NewJob


@dataclass
class Node:
    """A job of a tree, with the id it is going to have."""

    args: Args
    id: str
    queue: QueueRef
    parent: Node | None = None
    children: list[Node] = field(default_factory=list["Node"])

    @property
    def key(self) -> str:
        """Key of the job."""
        return self.queue.job_key(self.id)


def _grow(session: Session, args: Args, parent: Node | None = None) -> Node:
    id = args.args("opts").text("jobId", "") or str(uuid.uuid4())
    queue = QueueRef(args.text("prefix", session.prefix), args.text("queueName"))
    node = Node(args, id, queue, parent)
    node.children = [_grow(session, Args(as_mapping(child)), node) for child in args.items("children")]
    return node


def _by_level(root: Node) -> Iterator[Node]:
    level = [root]
    while level:
        yield from level
        level = [child for node in level for child in node.children]


def _new_job(node: Node, defaults: Args, now_ms: int) -> NewJob:
    default_options = job_options(defaults.args(node.queue.name).get("defaultJobOptions"))
    options = merge(default_options, job_options(node.args.get("opts")))
    if node.parent is not None:
        options["parent"] = ParentRef(node.parent.id, node.parent.queue.qualified)
    data, name = encode(node.args.get("data", {}), "data"), node.args.text("name")
    job = new_job(name, data, resolve(name, options, now_ms, len(data.encode())))
    more: dict[str, JSON] = job.more if isinstance(job.more, dict) else {}
    job.more = more | {"base": node.queue.base}
    if node.children:
        job.more["waits"] = True
    job.id = node.id
    return job


def _view(node: Node) -> dict[str, JSON]:
    view: dict[str, JSON] = {"id": node.id, "queue": node.queue.name, "name": node.args.text("name")}
    if node.children:
        view["children"] = [_view(child) for child in node.children]
    return view


async def add(session: Session, args: Args) -> JSON:
    root = _grow(session, args.args("flow"))
    defaults, now_ms = args.args("opts").args("queuesOptions"), session.store.now_ms()
    nodes = list(_by_level(root))
    jobs = [_new_job(node, defaults, now_ms) for node in nodes]
    parents = [node.key for node in nodes if node.children]
    await session.store.jobs.add_tree(root.queue, jobs, parents)
    job = await session.queue(root.queue.name).get_job(root.id)
    session.hold(args.get("as"), job)
    return _view(root)


OPERATIONS = {"flow.add": add}
