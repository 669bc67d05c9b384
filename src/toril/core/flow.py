"""Trees of jobs: what users write down, checked, and as the jobs that are added."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, Self, TypeVar, Unpack

import msgspec

from toril.core.middleware import JobDraft
from toril.core.payload import byte_length, encode
from toril.core.spec import ABSENT, new_job
from toril.errors import OptionError
from toril.model.bullmq import from_bullmq
from toril.model.checks import check_items, check_keyed, check_text
from toril.model.names import QueueRef, check_prefix, check_queue_name
from toril.model.options import AddOptions, Resolved, merge, resolve
from toril.model.parent import ParentRef
from toril.store.values import NewJob

#: The most jobs that are added in one step: one step holds the server up for as long as it lasts.
MOST_NODES = 10_000


class Flow:
    """A job of a tree, with the jobs it waits for.

    Args:
        name: What kind of job it is.
        data: Any JSON value, dataclass or msgspec struct.
        queue: Name of its queue; the jobs of a tree may be in different ones.
        children: Jobs that must be done before this one runs.
        prefix: Prefix of the queue's keys; ``None`` for that of the producer.
        options: See ``AddOptions``. What becomes of the parent when this job fails for good is
            ``on_failure``. A job with children runs when they are done, after its ``delay`` and by its
            ``priority`` from then on.

    Raises:
        OptionError: A name can't be used.
    """

    __slots__ = ("children", "data", "name", "options", "prefix", "queue")

    def __init__(
        self,
        name: str,
        data: Any = ABSENT,
        /,
        *,
        queue: str,
        children: Iterable[Flow] = (),
        prefix: str | None = None,
        **options: Unpack[AddOptions],
    ) -> None:
        self.name: str = check_text(name, "name")
        self.data: Any = data
        self.queue: str = check_queue_name(queue)
        self.children: list[Flow] = [
            _checked("children", child) for child in check_items(children, "children")
        ]
        self.prefix: str | None = prefix if prefix is None else check_prefix(prefix)
        self.options: AddOptions = options

    @classmethod
    def from_bullmq(cls, node: Mapping[str, Any]) -> Flow:
        """A tree as it is written for BullMQ: ``{"name", "queueName", "data", "opts", "children"}``.

        Raises:
            OptionError: A key is unknown, an option can't be used, or there are too many jobs.
        """
        nodes = _nodes_of(node)
        flows: list[Flow] = [cls._from_bullmq(each) for each, _ in nodes]
        for flow, (_, below) in zip(flows, nodes, strict=True):
            flow.children = flows[below.start : below.stop]
        return flows[0]

    @classmethod
    def _from_bullmq(cls, node: Mapping[str, Any]) -> Flow:
        return cls(
            node.get("name", ""),
            node.get("data", ABSENT),
            queue=node.get("queueName", ""),
            prefix=node.get("prefix"),
            **from_bullmq(check_keyed(node.get("opts") or {}, "opts")),
        )

    def __repr__(self) -> str:
        return f"<Flow {self.name!r} in {self.queue!r}, {len(self.children)} children>"


_BULLMQ_KEYS = ("name", "queueName", "data", "opts", "children", "prefix")


def _nodes_of(root: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], range]]:
    """All nodes of a tree for BullMQ, level by level, each with the places where its children are."""
    nodes = [check_keyed(root, "node")]
    places: list[range] = []
    # It grows meanwhile: trees may be deeper than calls can be nested.
    for node in nodes:
        for key in node:
            if key not in _BULLMQ_KEYS:
                raise OptionError.unknown(str(key), node[key], _BULLMQ_KEYS)
        begin = len(nodes)
        children = check_items(node.get("children") or (), "children")
        nodes.extend(check_keyed(child, "children") for child in children)
        places.append(range(begin, len(nodes)))
        if len(nodes) > MOST_NODES:
            raise OptionError("children", _named(root), f"a tree has {MOST_NODES} jobs at most")
    return list(zip(nodes, places, strict=True))


def _named(node: Mapping[str, Any]) -> str:
    """A node as it is told of: trees may be deeper than ``repr`` goes."""
    return f"{node.get('name')} in {node.get('queueName')}"


class Planned(msgspec.Struct):
    """A job of a tree that is about to be added.

    Attributes:
        job: As the store takes it; its id is known, so that children can name it.
        outer: Key of a parent outside of the tree, which the root may have.
    """

    flow: Flow
    parent: Planned | None
    queue: QueueRef
    job: NewJob
    outer: str | None = None
    children: list[Planned] = msgspec.field(default_factory=list["Planned"])

    @property
    def key(self) -> str:
        """Key of the job."""
        return self.queue.job_key(str(self.job.id))


class Sketched(msgspec.Struct):
    """A job of a tree as it was written, at its place in the tree."""

    flow: Flow
    parent: Sketched | None
    children: list[Sketched] = msgspec.field(default_factory=list["Sketched"])


def sketched(flows: Iterable[object]) -> list[Sketched]:
    """Trees, their shape checked; a ``Flow`` that is in several places is several jobs.

    Raises:
        OptionError: A job is its own ancestor, or there are too many.
    """
    return _unfolded(flows, Sketched)


def drawn(sketches: Sequence[Sketched], drafts: Iterable[JobDraft]) -> list[Flow]:
    """The trees, each job as its draft says; drafts are in the order of ``by_level``."""
    flows: dict[int, Flow] = {}
    places = list(zip(by_level(sketches), drafts, strict=True))
    for place, draft in reversed(places):
        children = [flows[id(child)] for child in place.children]
        flow = Flow(draft.name, draft.data, queue=draft.queue, prefix=place.flow.prefix, children=children)
        flow.options = draft.options
        flows[id(place)] = flow
    return [flows[id(sketch)] for sketch in sketches]


class _Node(Protocol):
    @property
    def flow(self) -> Flow: ...
    @property
    def parent(self) -> Self | None: ...
    @property
    def children(self) -> list[Self]: ...


N = TypeVar("N", bound=_Node)


def _unfolded(flows: Iterable[object], node: Callable[[Flow, N | None], N]) -> list[N]:
    """The trees of these flows, level by level: they may be deeper than calls can be nested."""
    seen: set[int] = set()

    def made(flow: Flow, parent: N | None) -> N:
        if id(flow) in seen:
            _check_ancestors(flow, parent)
        seen.add(id(flow))
        return node(flow, parent)

    roots = [made(_checked("flow", flow), None) for flow in flows]
    level, count = roots, len(roots)
    while level:
        below: list[N] = []
        for parent in level:
            parent.children[:] = [made(child, parent) for child in parent.flow.children]
            below += parent.children
        count += len(below)
        if count > MOST_NODES:
            problem = f"a step adds {MOST_NODES} jobs at most; add more with parent= while the parent runs"
            raise OptionError("children", roots[0].flow, problem)
        level = below
    return roots


class _Branching(Protocol):
    @property
    def children(self) -> Sequence[Self]: ...


B = TypeVar("B", bound=_Branching)


def by_level(roots: Iterable[B]) -> Iterator[B]:
    """All jobs of the trees: the roots, then level by level, so each parent comes before its children."""
    level = list(roots)
    while level:
        yield from level
        level = [child for node in level for child in node.children]


def parents_of(planned: Iterable[Planned]) -> list[str]:
    """Keys of all jobs that wait for some of these, once each."""
    keys: dict[str, None] = {}
    for node in planned:
        if node.outer is not None:
            keys[node.outer] = None
        if node.children:
            keys[node.key] = None
    return list(keys)


class Planner:
    """Turns trees into the jobs to add.

    Args:
        prefix: For queues that don't say.
        defaults: Options for all jobs of a queue, by its name.
        now_ms: When the jobs are made.
    """

    def __init__(self, prefix: str, defaults: Mapping[str, AddOptions], now_ms: int) -> None:
        self._prefix = prefix
        self._defaults = defaults
        self._now_ms = now_ms

    def plan(self, flows: Iterable[object]) -> list[Planned]:
        """The trees, checked.

        Raises:
            OptionError: A job is its own ancestor, there are too many, or an option can't be used.
        """
        return _unfolded(flows, self._node)

    def _node(self, flow: Flow, parent: Planned | None) -> Planned:
        queue = QueueRef(flow.prefix or self._prefix, flow.queue)
        data = "{}" if flow.data is ABSENT else encode(flow.data, "data")
        resolved = resolve(flow.name, self._options(flow, parent), self._now_ms, byte_length(data))
        _check_dedup(flow, resolved)
        job = new_job(flow.name, data, resolved)
        job.id = resolved.job_id or str(uuid.uuid4())
        more: dict[str, Any] = {"base": queue.base}
        if isinstance(job.more, dict):
            more.update(job.more)
        if flow.children:
            more["waits"] = True
        job.more = more
        outer = resolved.parent.key if parent is None and resolved.parent is not None else None
        return Planned(flow, parent, queue, job, outer)

    def _options(self, flow: Flow, parent: Planned | None) -> Mapping[str, Any]:
        options: dict[str, Any] = merge(self._defaults.get(flow.queue, {}), flow.options)
        if parent is not None:
            if "parent" in options:
                raise OptionError(
                    "parent", options["parent"], "only the root of a tree can be given a parent"
                )
            options["parent"] = ParentRef(str(parent.job.id), parent.queue.qualified)
        return options


def _checked(option: str, flow: object) -> Flow:
    if not isinstance(flow, Flow):
        raise OptionError(option, flow, "must be a Flow")
    return flow


def _check_ancestors(flow: Flow, parent: _Node | None) -> None:
    while parent is not None:
        if parent.flow is flow:
            raise OptionError("children", flow, "the job is among its own children, so it could never run")
        parent = parent.parent


def _check_dedup(flow: Flow, resolved: Resolved) -> None:
    if flow.children and resolved.dedup is not None:
        raise OptionError("deduplication", resolved.dedup, "can't be used for a job with children")


def check_ids(planned: Iterable[Planned]) -> None:
    """Each job once: a job that is its own ancestor waits for ever, one of two parents has one child less.

    Raises:
        OptionError: An id comes twice.
    """
    seen: set[str] = set()
    for node in planned:
        if node.key in seen:
            raise OptionError(
                "job_id", node.job.id, f"comes twice in queue {node.queue.name!r} of these trees"
            )
        seen.add(node.key)
