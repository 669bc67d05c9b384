"""toril: background jobs for Python on Redis or Valkey, on the wire of BullMQ."""

from typing import TYPE_CHECKING

from toril._lazy import lazily as _lazily
from toril._version import __version__
from toril.errors import (
    AlreadyMoved,
    ChildFailed,
    ChildFailure,
    ChildProcessDied,
    Delay,
    DelayedError,
    DuplicateJob,
    EmbeddedServerError,
    FailedChildren,
    InvalidPayload,
    JobCancelled,
    JobError,
    JobExpired,
    JobFailed,
    JobLocked,
    JobNotFound,
    JobNotInState,
    JobOwnedByScheduler,
    JobRemoved,
    JobTimeout,
    LockLost,
    LockMismatch,
    MissingExtra,
    NoFreeSlot,
    OptionError,
    ParentNotFound,
    ParentNotReplaceable,
    PendingChildren,
    QueueInUse,
    RateLimit,
    RateLimitError,
    ReaderReplaced,
    RemoteError,
    ResultTimeout,
    Retry,
    ReturnToWait,
    ScriptError,
    SlotTaken,
    Steer,
    StoreError,
    StoreMisconfigured,
    StoreUnavailable,
    TorilError,
    UnknownBackoff,
    UnknownJobName,
    Unrecoverable,
    UnrecoverableError,
    WaitForChildren,
    WaitingChildrenError,
    WaitingError,
    WorkerStopped,
)

if TYPE_CHECKING:
    from toril.core.blocking import BlockingJob
    from toril.core.clients import ClientInfo, WorkerInfo, list_queues
    from toril.core.dependencies import Dependency, DependencyPage
    from toril.core.events import QueueEvents
    from toril.core.flow import Flow
    from toril.core.inspector import Inspector, JobLock
    from toril.core.job import Job
    from toril.core.metrics import Metrics, MetricsTime
    from toril.core.middleware import AddMiddleware, AddNext, JobDraft, RunMiddleware, RunNext
    from toril.core.producer import FlowProducer, JobNode
    from toril.core.queue import Queue
    from toril.core.scheduling import JobScheduler
    from toril.core.server import ServerInfo, get_server_info
    from toril.core.spec import JobSpec
    from toril.core.stuck import StuckChild, StuckParent
    from toril.core.worker.inject.depends import Depends
    from toril.core.worker.inject.given import CancelToken, JobLogger
    from toril.core.worker.manual import Batch
    from toril.core.worker.settings import WorkerOptions
    from toril.core.worker.worker import Worker
    from toril.errors.soft import SoftTimeout
    from toril.model.autoscale import Autoscale
    from toril.model.backoff import Backoff
    from toril.model.bullmq import from_bullmq
    from toril.model.cancellation import Cancellation
    from toril.model.dedup import Dedup
    from toril.model.event import Event
    from toril.model.keep import Keep
    from toril.model.options import AddOptions
    from toril.model.parent import ParentRef
    from toril.model.rate_limit import RateLimiter
    from toril.model.schedule import ScheduleOptions
    from toril.model.worker_status import RunningJob, WorkerStatus
    from toril.store.opening import open_store
    from toril.store.values import Dependencies, Logs

__all__ = [
    "AddMiddleware",
    "AddNext",
    "AddOptions",
    "AlreadyMoved",
    "Autoscale",
    "Backoff",
    "Batch",
    "BlockingJob",
    "CancelToken",
    "Cancellation",
    "ChildFailed",
    "ChildFailure",
    "ChildProcessDied",
    "ClientInfo",
    "Dedup",
    "Delay",
    "DelayedError",
    "Dependencies",
    "Dependency",
    "DependencyPage",
    "Depends",
    "DuplicateJob",
    "EmbeddedServerError",
    "Event",
    "FailedChildren",
    "Flow",
    "FlowProducer",
    "Inspector",
    "InvalidPayload",
    "Job",
    "JobCancelled",
    "JobDraft",
    "JobError",
    "JobExpired",
    "JobFailed",
    "JobLock",
    "JobLocked",
    "JobLogger",
    "JobNode",
    "JobNotFound",
    "JobNotInState",
    "JobOwnedByScheduler",
    "JobRemoved",
    "JobScheduler",
    "JobSpec",
    "JobTimeout",
    "Keep",
    "LockLost",
    "LockMismatch",
    "Logs",
    "Metrics",
    "MetricsTime",
    "MissingExtra",
    "NoFreeSlot",
    "OptionError",
    "ParentNotFound",
    "ParentNotReplaceable",
    "ParentRef",
    "PendingChildren",
    "Queue",
    "QueueEvents",
    "QueueInUse",
    "RateLimit",
    "RateLimitError",
    "RateLimiter",
    "ReaderReplaced",
    "RemoteError",
    "ResultTimeout",
    "Retry",
    "ReturnToWait",
    "RunMiddleware",
    "RunNext",
    "RunningJob",
    "ScheduleOptions",
    "ScriptError",
    "ServerInfo",
    "SlotTaken",
    "SoftTimeout",
    "Steer",
    "StoreError",
    "StoreMisconfigured",
    "StoreUnavailable",
    "StuckChild",
    "StuckParent",
    "TorilError",
    "UnknownBackoff",
    "UnknownJobName",
    "Unrecoverable",
    "UnrecoverableError",
    "WaitForChildren",
    "WaitingChildrenError",
    "WaitingError",
    "Worker",
    "WorkerInfo",
    "WorkerOptions",
    "WorkerStatus",
    "WorkerStopped",
    "__version__",
    "from_bullmq",
    "get_server_info",
    "list_queues",
    "open_store",
]

# Loaded when they are first used: whoever only adds jobs need not load the worker. The same as above.
_PLACES = {
    "AddMiddleware": "toril.core.middleware",
    "AddNext": "toril.core.middleware",
    "AddOptions": "toril.model.options",
    "Autoscale": "toril.model.autoscale",
    "Backoff": "toril.model.backoff",
    "Batch": "toril.core.worker.manual",
    "BlockingJob": "toril.core.blocking",
    "CancelToken": "toril.core.worker.inject.given",
    "Cancellation": "toril.model.cancellation",
    "ClientInfo": "toril.core.clients",
    "Dedup": "toril.model.dedup",
    "Dependencies": "toril.store.values",
    "Dependency": "toril.core.dependencies",
    "DependencyPage": "toril.core.dependencies",
    "Depends": "toril.core.worker.inject.depends",
    "Event": "toril.model.event",
    "Flow": "toril.core.flow",
    "FlowProducer": "toril.core.producer",
    "Inspector": "toril.core.inspector",
    "Job": "toril.core.job",
    "JobDraft": "toril.core.middleware",
    "JobLock": "toril.core.inspector",
    "JobLogger": "toril.core.worker.inject.given",
    "JobNode": "toril.core.producer",
    "JobScheduler": "toril.core.scheduling",
    "JobSpec": "toril.core.spec",
    "Keep": "toril.model.keep",
    "Logs": "toril.store.values",
    "Metrics": "toril.core.metrics",
    "MetricsTime": "toril.core.metrics",
    "ParentRef": "toril.model.parent",
    "Queue": "toril.core.queue",
    "QueueEvents": "toril.core.events",
    "RateLimiter": "toril.model.rate_limit",
    "RunMiddleware": "toril.core.middleware",
    "RunNext": "toril.core.middleware",
    "RunningJob": "toril.model.worker_status",
    "ScheduleOptions": "toril.model.schedule",
    "ServerInfo": "toril.core.server",
    "SoftTimeout": "toril.errors.soft",
    "StuckChild": "toril.core.stuck",
    "StuckParent": "toril.core.stuck",
    "Worker": "toril.core.worker.worker",
    "WorkerInfo": "toril.core.clients",
    "WorkerOptions": "toril.core.worker.settings",
    "WorkerStatus": "toril.model.worker_status",
    "from_bullmq": "toril.model.bullmq",
    "get_server_info": "toril.core.server",
    "list_queues": "toril.core.clients",
    "open_store": "toril.store.opening",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = _lazily(__name__, _PLACES)
