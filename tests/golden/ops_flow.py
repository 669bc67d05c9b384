"""Steps that add trees of jobs, and read them back."""

from __future__ import annotations

from collections.abc import Mapping

from tests.golden.options import job_options
from tests.golden.session import Session
from tests.golden.values import JSON, Args, as_mapping
from toril import Flow, FlowProducer, JobNode
from toril.model.options import AddOptions


def _view(node: JobNode) -> dict[str, JSON]:
    job = node.job
    view: dict[str, JSON] = {"id": job.id, "queue": job.queue_name, "name": job.name}
    if node.children:
        view["children"] = [_view(child) for child in node.children]
    return view


def _producer(session: Session) -> FlowProducer:
    return FlowProducer(store=session.store, prefix=session.prefix)


def _defaults(args: Args) -> Mapping[str, AddOptions]:
    queues = args.args("opts").mapping("queuesOptions")
    return {
        name: job_options(as_mapping(options).get("defaultJobOptions")) for name, options in queues.items()
    }


async def add(session: Session, args: Args) -> JSON:
    flow = Flow.from_bullmq(args.mapping("flow"))
    async with _producer(session) as producer:
        # As BullMQ does it: a child that has another parent is left out.
        node = await producer.add(flow, default_job_options=_defaults(args), strict=False)
    session.hold(args.get("as"), node.job)
    return _view(node)


async def add_many(session: Session, args: Args) -> JSON:
    flows = [Flow.from_bullmq(as_mapping(flow)) for flow in args.items("flows")]
    async with _producer(session) as producer:
        nodes = await producer.add_many(flows, default_job_options=_defaults(args), strict=False)
    return [_view(node) for node in nodes]


async def get_flow(session: Session, args: Args) -> JSON:
    options = args.args("opts")
    async with _producer(session) as producer:
        node = await producer.get_flow(
            options.text("queueName"),
            options.text("id"),
            depth=options.integer("depth", 10),
            max_children=options.integer("maxChildren", 20),
        )
    return _view(node) if node is not None else None


OPERATIONS = {"flow.add": add, "flow.addBulk": add_many, "flow.getFlow": get_flow}
