"""Adding trees of jobs, and reading them back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from toril.core.connection import Access, StoreLink
from toril.core.flow import Flow, Planned, Planner, by_level, check_ids, drawn, parents_of, sketched
from toril.core.job import Job
from toril.core.linked import Connecting
from toril.core.middleware import AddMiddleware, JobDraft, add_through, check_middleware, draft_of
from toril.core.spec import stored_job
from toril.errors import JobError, OptionError
from toril.model.checks import check_id, check_int, check_items, check_keyed
from toril.model.names import QueueRef, check_prefix, check_queue_name, split_job_key
from toril.model.options import AddOptions, resolve
from toril.store.contract import Store
from toril.store.values import CHILD_KINDS, Added


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class JobNode:
    """A job of a tree with the jobs it waits for, or waited for. A node is equal to itself alone.

    Attributes:
        job: The job.
        children: Its children, in the order in which they were given; by their keys when they were read.
        error: Why the job could not be added; only ``add(..., strict=False)`` leaves such.
    """

    job: Job
    children: tuple[JobNode, ...] = ()
    error: JobError | None = None

    def __repr__(self) -> str:
        error = "" if self.error is None else f", {self.error!r}"
        return f"<JobNode {self.job!r}, {len(self.children)} children{error}>"


class FlowProducer(Connecting):
    """Adds trees of jobs: a parent runs when all of its children are done.

    Nothing is opened before it is needed, so it can be made anywhere.

    Args:
        url: Of the server; ``None`` for ``TORIL_URL``, ``REDIS_URL`` or the embedded server.
        store: A store that is open already, instead of ``url``.
        prefix: Prefix of all keys, for jobs that don't say.
        middleware: Called around each add with the jobs of all its trees, the first one outermost.

    Raises:
        OptionError: An option can't be used.
    """

    def __init__(
        self,
        *,
        url: str | None = None,
        store: Store | None = None,
        prefix: str = "bull",
        middleware: Sequence[AddMiddleware] = (),
    ) -> None:
        self._prefix = check_prefix(prefix)
        self._middleware: Sequence[AddMiddleware] = check_middleware(middleware, "middleware", "drafts")
        self._link = StoreLink(None, url, store)

    async def add(
        self,
        flow: Flow,
        *,
        default_job_options: Mapping[str, AddOptions] | None = None,
        strict: bool = True,
    ) -> JobNode:
        """Add a tree in one step: all of it, or nothing.

        A job whose ``job_id`` exists is kept as it is and becomes a child of this tree; if it has completed,
        its parent gets the result at once.

        Args:
            flow: The root with its children.
            default_job_options: Options for all jobs of a queue, by its name, unless a job says otherwise.
            strict: Refuse the tree if one of its jobs exists and has another living parent, or if an id
                comes twice. Otherwise it is added without that job, as BullMQ does it: the parent then
                waits until you see to it (see ``Queue.stuck_parents``), and the node holds the error.

        Returns:
            The jobs that were added.

        Raises:
            OptionError: A job can't be used as it is described; nothing was written.
            ParentNotFound: The root's parent does not exist; nothing was written.
            ParentNotReplaceable: A job of the tree has another living parent; nothing was written.
            DuplicateJob: An id exists and ``on_duplicate="raise"``; nothing was written.
            StoreUnavailable: No answer from the server for some seconds.
            StoreMisconfigured: In a cluster, the queues of the tree are not in one slot.
        """
        nodes = await self._add([flow], default_job_options, strict=strict)
        if nodes[0].error is not None:
            raise nodes[0].error
        return nodes[0]

    async def add_many(
        self,
        flows: Iterable[Flow],
        *,
        default_job_options: Mapping[str, AddOptions] | None = None,
        strict: bool = True,
    ) -> list[JobNode]:
        """Add trees in one step: all of them, or nothing; see ``add``.

        Raises:
            JobError: The first job that can't be added; nothing was written. Without ``strict`` nothing is
                raised, and the nodes hold the errors.
        """
        return await self._add(check_items(flows, "flows"), default_job_options, strict=strict)

    async def _add(
        self, flows: Sequence[object], defaults: Mapping[str, AddOptions] | None, *, strict: bool
    ) -> list[JobNode]:
        defaults = {} if defaults is None else defaults
        for options in check_keyed(defaults, "default_job_options").values():
            resolve("", check_keyed(options, "default_job_options"), 0, 0)
        if not self._middleware:
            return await self._write(flows, defaults, strict=strict)
        added: list[JobNode] = []
        trees = sketched(flows)

        async def write(drafts: Sequence[JobDraft]) -> list[Job | JobError]:
            added[:] = await self._write(drawn(trees, drafts), defaults, strict=strict)
            return [node.error or node.job for node in by_level(added)]

        drafts = [
            draft_of(flow.queue, flow.name, flow.data, flow.options)
            for flow in (each.flow for each in by_level(trees))
        ]
        await add_through(self._middleware, drafts, write)
        if len(added) != len(flows):
            raise OptionError(
                "middleware", self._middleware, "a tree is added by call_next, or refused by an error"
            )
        return added

    async def _write(
        self, flows: Sequence[object], defaults: Mapping[str, AddOptions], *, strict: bool
    ) -> list[JobNode]:
        access = await self._open()
        roots = Planner(self._prefix, defaults, access.store.now_ms()).plan(flows)
        if not roots:
            return []
        planned = list(by_level(roots))
        if strict:
            check_ids(planned)
        jobs, parents = [node.job for node in planned], parents_of(planned)
        queues = {node.queue for node in planned}
        for queue in queues:
            access.store.check_queue(queue)
        access.store.check_slot([*parents, *(queue.base for queue in queues)])
        answers = await access.store.jobs.add_tree(roots[0].queue, jobs, parents, strict=strict)
        added = {id(node): answer for node, answer in zip(planned, answers, strict=True)}
        return [self._node(root, added) for root in roots]

    def _node(self, planned: Planned, added: Mapping[int, Added | JobError]) -> JobNode:
        """What became of a tree, from its leaves up: trees may be deeper than calls can be nested."""
        nodes: dict[int, JobNode] = {}
        for node in reversed(list(by_level([planned]))):
            answer = added[id(node)]
            error = answer if isinstance(answer, JobError) else None
            existing = answer.existing if isinstance(answer, Added) else None
            if existing is not None:
                job = Job.of(existing, self._link)
            else:
                job = stored_job(node.queue, str(node.job.id), node.job, self._link, created=error is None)
            nodes[id(node)] = JobNode(job, tuple(nodes[id(child)] for child in node.children), error)
            # Parents and children that know each other would be left to the collector.
            node.parent = None
        return nodes[id(planned)]

    async def get_flow(
        self, queue: str, id: str, *, prefix: str | None = None, depth: int = 10, max_children: int = 20
    ) -> JobNode | None:
        """Read a tree as it is now; children that don't exist any more are left out.

        Args:
            queue: Name of the queue of the tree's root.
            id: Id of the root; any job can be one.
            prefix: Prefix of its queue; ``None`` for that of the producer.
            depth: So many levels, the root being the first.
            max_children: About so many children of a job of each kind: completed, failed, ignored, pending.
                The server may give more of small groups.

        Returns:
            The tree, or ``None`` if there is no such job.
        """
        check_int(depth, "depth", 1)
        check_int(max_children, "max_children", 1)
        ref = QueueRef(check_prefix(prefix or self._prefix), check_queue_name(queue))
        root = check_id(id)
        access = await self._open()
        access.store.check_queue(ref)
        return await self._read(access, ref, root, depth, max_children)

    async def _read(self, access: Access, queue: QueueRef, id: str, depth: int, most: int) -> JobNode | None:
        record = await access.store.jobs.get(queue, id)
        if record is None:
            return None
        job = Job.of(record, self._link)
        if depth <= 1:
            return JobNode(job)
        family = await access.store.family.dependencies(queue, id, dict.fromkeys(CHILD_KINDS, (0, most)))
        places = [split_job_key(key, queue.prefix) for key in sorted(family.keys())]
        read = (self._read(access, place[0], place[1], depth - 1, most) for place in places if place)
        return JobNode(job, tuple([child for child in await asyncio.gather(*read) if child is not None]))
