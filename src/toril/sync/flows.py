"""Trees of jobs, in blocking code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from toril.core.blocking import BlockingJob as Job
from toril.core.flow import Flow
from toril.core.middleware import AddMiddleware
from toril.core.portal import portal
from toril.core.producer import FlowProducer as AsyncFlowProducer
from toril.core.producer import JobNode as AsyncJobNode
from toril.errors import JobError
from toril.model.options import AddOptions
from toril.sync.jobs import blocking
from toril.sync.linked import Linked


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class JobNode:
    """A job of a tree with the jobs it waits for; see ``toril.JobNode``."""

    job: Job
    children: tuple[JobNode, ...] = ()
    error: JobError | None = None

    def __repr__(self) -> str:
        error = "" if self.error is None else f", {self.error!r}"
        return f"<JobNode {self.job!r}, {len(self.children)} children{error}>"


class FlowProducer(Linked):
    """Adds trees of jobs; see ``toril.FlowProducer``.

    Args:
        url: Of the server; ``None`` for ``TORIL_URL``, ``REDIS_URL`` or the embedded server.
        prefix: Prefix of all keys, for jobs that don't say.
        middleware: Called around each add, the first one outermost; ``async``, as for ``toril.FlowProducer``.

    Raises:
        OptionError: An option can't be used.
    """

    def __init__(
        self, *, url: str | None = None, prefix: str = "bull", middleware: Sequence[AddMiddleware] = ()
    ) -> None:
        self._producer = AsyncFlowProducer(url=url, prefix=prefix, middleware=middleware)
        super().__init__(self._producer)

    def add(
        self,
        flow: Flow,
        *,
        default_job_options: Mapping[str, AddOptions] | None = None,
        strict: bool = True,
    ) -> JobNode:
        """Add a tree in one step."""
        adding = self._producer.add(flow, default_job_options=default_job_options, strict=strict)
        return _blocking_node(portal.call(adding))

    def add_many(
        self,
        flows: Iterable[Flow],
        *,
        default_job_options: Mapping[str, AddOptions] | None = None,
        strict: bool = True,
    ) -> list[JobNode]:
        """Add trees in one step."""
        adding = self._producer.add_many(flows, default_job_options=default_job_options, strict=strict)
        return [_blocking_node(node) for node in portal.call(adding)]

    def get_flow(
        self, queue: str, id: str, *, prefix: str | None = None, depth: int = 10, max_children: int = 20
    ) -> JobNode | None:
        """Read a tree as it is now."""
        reading = self._producer.get_flow(queue, id, prefix=prefix, depth=depth, max_children=max_children)
        node = portal.call(reading)
        return _blocking_node(node) if node is not None else None


def _blocking_node(root: AsyncJobNode) -> JobNode:
    """The tree with jobs that block, from its leaves up: it may be deeper than calls can be nested."""
    order = [root]
    for node in order:
        order.extend(node.children)
    made: dict[int, JobNode] = {}
    for node in reversed(order):
        children = tuple(made[id(child)] for child in node.children)
        made[id(node)] = JobNode(blocking(node.job), children, node.error)
    return made[id(root)]
