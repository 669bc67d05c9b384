"""The queue for blocking code: Django, Flask, scripts, notebooks.

The classes have the names and the verbs of the async ones; each call waits for its answer. They may be used
from any thread, and after a fork. One event loop in a thread of its own serves all of them.
"""

from typing import TYPE_CHECKING

from toril._lazy import lazily as _lazily

if TYPE_CHECKING:
    from toril.core.blocking import BlockingJob as Job
    from toril.core.flow import Flow
    from toril.core.spec import JobSpec
    from toril.sync.discovery import get_server_info, list_queues
    from toril.sync.events import QueueEvents
    from toril.sync.flows import FlowProducer, JobNode
    from toril.sync.queue import Queue

__all__ = [
    "Flow",
    "FlowProducer",
    "Job",
    "JobNode",
    "JobSpec",
    "Queue",
    "QueueEvents",
    "get_server_info",
    "list_queues",
]

# Loaded when they are first used: whoever only adds jobs need not load the worker. The same as above.
_PLACES = {
    "Flow": "toril.core.flow",
    "FlowProducer": "toril.sync.flows",
    "Job": "toril.core.blocking:BlockingJob",
    "JobNode": "toril.sync.flows",
    "JobSpec": "toril.core.spec",
    "Queue": "toril.sync.queue",
    "QueueEvents": "toril.sync.events",
    "get_server_info": "toril.sync.discovery",
    "list_queues": "toril.sync.discovery",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = _lazily(__name__, _PLACES)
