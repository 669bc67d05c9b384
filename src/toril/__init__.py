"""toril: background jobs for Python on Redis or Valkey, on the wire of BullMQ."""

from toril._version import __version__
from toril.core.blocking import BlockingJob
from toril.core.clients import ClientInfo, WorkerInfo, list_queues
from toril.core.dependencies import Dependencies, Dependency
from toril.core.inspector import Inspector
from toril.core.job import Job
from toril.core.metrics import Metrics, MetricsTime
from toril.core.queue import JobSpec, Queue
from toril.core.worker.manual import Batch
from toril.core.worker.settings import RateLimiter, WorkerOptions
from toril.core.worker.worker import Worker
from toril.errors import (
    AlreadyMoved,
    Delay,
    DelayedError,
    DuplicateJob,
    EmbeddedServerError,
    FailedChildren,
    JobError,
    JobFailed,
    JobLocked,
    JobNotFound,
    JobNotInState,
    JobOwnedByScheduler,
    JobRemoved,
    LockLost,
    LockMismatch,
    MissingExtra,
    OptionError,
    ParentNotFound,
    ParentNotReplaceable,
    PendingChildren,
    RateLimit,
    RateLimitError,
    ResultTimeout,
    Retry,
    ReturnToWait,
    ScriptError,
    Steer,
    StoreError,
    StoreMisconfigured,
    StoreUnavailable,
    TorilError,
    UnknownBackoff,
    Unrecoverable,
    UnrecoverableError,
    WaitForChildren,
    WaitingChildrenError,
    WaitingError,
)
from toril.model.backoff import Backoff
from toril.model.bullmq import from_bullmq
from toril.model.dedup import Dedup
from toril.model.keep import Keep
from toril.model.options import AddOptions
from toril.model.parent import ParentRef
from toril.store.contract import Logs
from toril.store.opening import open_store

__all__ = [
    "AddOptions",
    "AlreadyMoved",
    "Backoff",
    "Batch",
    "BlockingJob",
    "ClientInfo",
    "Dedup",
    "Delay",
    "DelayedError",
    "Dependencies",
    "Dependency",
    "DuplicateJob",
    "EmbeddedServerError",
    "FailedChildren",
    "Inspector",
    "Job",
    "JobError",
    "JobFailed",
    "JobLocked",
    "JobNotFound",
    "JobNotInState",
    "JobOwnedByScheduler",
    "JobRemoved",
    "JobSpec",
    "Keep",
    "LockLost",
    "LockMismatch",
    "Logs",
    "Metrics",
    "MetricsTime",
    "MissingExtra",
    "OptionError",
    "ParentNotFound",
    "ParentNotReplaceable",
    "ParentRef",
    "PendingChildren",
    "Queue",
    "RateLimit",
    "RateLimitError",
    "RateLimiter",
    "ResultTimeout",
    "Retry",
    "ReturnToWait",
    "ScriptError",
    "Steer",
    "StoreError",
    "StoreMisconfigured",
    "StoreUnavailable",
    "TorilError",
    "UnknownBackoff",
    "Unrecoverable",
    "UnrecoverableError",
    "WaitForChildren",
    "WaitingChildrenError",
    "WaitingError",
    "Worker",
    "WorkerInfo",
    "WorkerOptions",
    "__version__",
    "from_bullmq",
    "list_queues",
    "open_store",
]
