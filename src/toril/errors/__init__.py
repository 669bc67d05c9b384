"""Every exception of toril.

TorilError
├── OptionError (ValueError)            an option has a wrong name, type, range or unit
├── UnknownBackoff                      a worker has no strategy for a job's type of backoff
├── MissingExtra (ImportError)          an optional package is needed and absent
├── EmbeddedServerError                 the embedded server could not be started
├── StoreError
│   ├── StoreUnavailable (ConnectionError)   no answer from the server
│   ├── StoreMisconfigured              the server answers, but is of no use as it is set up
│   └── ScriptError                     a server script failed in a way it should not
├── JobError                            one job, one queue, a code that BullMQ knows
│   ├── JobNotFound (-1)
│   ├── LockLost (-2, -6)
│   ├── JobNotInState (-3)
│   ├── PendingChildren (-4)
│   ├── ParentNotFound (-5)
│   ├── ParentNotReplaceable (-7)
│   ├── JobOwnedByScheduler (-8)
│   ├── FailedChildren (-9)
│   ├── SlotTaken (-10)
│   │   └── NoFreeSlot (-11)
│   ├── WorkerStopped                   its worker was stopped, and lets unfinished jobs fail
│   ├── JobLocked                       a running job can't be removed or replaced
│   ├── DuplicateJob                    ``on_duplicate="raise"`` met an existing id
│   ├── JobTimeout (TimeoutError)       the handler ran longer than it may; raised by workers
│   ├── JobFailed                       what ``Job.result`` raises for a failed job
│   └── JobRemoved                      what ``Job.result`` raises for a job that is gone
├── ChildProcessDied                    the child process that ran a job is gone, or could not start
├── RemoteError                         what a handler raised in a child, if that can't be carried over
├── ReaderReplaced                      another process reads events under the same name
├── QueueInUse                          a queue with running jobs can't be obliterated
└── ResultTimeout (TimeoutError)        ``Job.result`` waited long enough

Steer                                   raised by a handler to say what shall happen to its job
├── Unrecoverable                       fail now, whatever attempts are left
│   ├── ChildFailed                     a parent that fails because of a child; raised by workers
│   ├── InvalidPayload                  the data do not fit the type that the handler wants
│   ├── UnknownJobName                  the worker has no handler for jobs of this name
│   ├── JobExpired                      the job waited too long to be run
│   └── JobCancelled                    somebody has cancelled the job
├── Retry                               fail this attempt, and run again after a delay of your choice
├── Delay                               run again later; does not count as an attempt
├── ReturnToWait                        run again as soon as a slot is free; not an attempt
├── WaitForChildren                     run again when the children are done; not an attempt
├── RateLimit                           put back; start no job of the queue for a while; not an attempt
└── AlreadyMoved                        the handler moved the job itself, with its token
    ├── DelayedError
    ├── WaitingError
    ├── WaitingChildrenError
    └── RateLimitError

SoftTimeout (asyncio.CancelledError)    raised inside a handler that should come to its end

``Steer`` is a branch of its own, so that ``except TorilError`` never swallows it.
"""

from typing import TYPE_CHECKING

from toril._lazy import lazily as _lazily
from toril.errors.general import (
    ChildProcessDied,
    EmbeddedServerError,
    MissingExtra,
    OptionError,
    QueueInUse,
    ReaderReplaced,
    RemoteError,
    ResultTimeout,
    ScriptError,
    StoreError,
    StoreMisconfigured,
    StoreUnavailable,
    TorilError,
    UnknownBackoff,
)
from toril.errors.jobs import (
    ChildFailure,
    DuplicateJob,
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
    NoFreeSlot,
    ParentNotFound,
    ParentNotReplaceable,
    PendingChildren,
    SlotTaken,
    WorkerStopped,
)
from toril.errors.limits import JobCancelled, JobExpired, JobTimeout
from toril.errors.steering import (
    AlreadyMoved,
    ChildFailed,
    Delay,
    DelayedError,
    InvalidPayload,
    RateLimit,
    RateLimitError,
    Retry,
    ReturnToWait,
    Steer,
    UnknownJobName,
    Unrecoverable,
    UnrecoverableError,
    WaitForChildren,
    WaitingChildrenError,
    WaitingError,
)

if TYPE_CHECKING:
    from toril.errors.soft import SoftTimeout

__all__ = [
    "AlreadyMoved",
    "ChildFailed",
    "ChildFailure",
    "ChildProcessDied",
    "Delay",
    "DelayedError",
    "DuplicateJob",
    "EmbeddedServerError",
    "FailedChildren",
    "InvalidPayload",
    "JobCancelled",
    "JobError",
    "JobExpired",
    "JobFailed",
    "JobLocked",
    "JobNotFound",
    "JobNotInState",
    "JobOwnedByScheduler",
    "JobRemoved",
    "JobTimeout",
    "LockLost",
    "LockMismatch",
    "MissingExtra",
    "NoFreeSlot",
    "OptionError",
    "ParentNotFound",
    "ParentNotReplaceable",
    "PendingChildren",
    "QueueInUse",
    "RateLimit",
    "RateLimitError",
    "ReaderReplaced",
    "RemoteError",
    "ResultTimeout",
    "Retry",
    "ReturnToWait",
    "ScriptError",
    "SlotTaken",
    "SoftTimeout",
    "Steer",
    "StoreError",
    "StoreMisconfigured",
    "StoreUnavailable",
    "TorilError",
    "UnknownBackoff",
    "UnknownJobName",
    "Unrecoverable",
    "UnrecoverableError",
    "WaitForChildren",
    "WaitingChildrenError",
    "WaitingError",
    "WorkerStopped",
]

# In tracebacks, logs and pickles they are called what users import.
for _name in {*__all__} & {*globals()}:
    globals()[_name].__module__ = __name__

if not TYPE_CHECKING:
    # Loaded when it is first used: asyncio takes its time, and who only adds jobs may do without.
    __getattr__, __dir__ = _lazily(__name__, {"SoftTimeout": "toril.errors.soft"})
