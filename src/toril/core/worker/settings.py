"""The options of a worker, checked once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypedDict, cast

import msgspec

from toril.core.middleware import RunMiddleware, check_middleware
from toril.core.repeat import RepeatStrategy
from toril.core.worker.fair import DEALS, Policy
from toril.core.worker.isolation.choice import Choice, read_isolation, uses_children
from toril.core.worker.isolation.options import CHILD_READERS, ChildHook, ChildOptions, refuse_idle
from toril.core.worker.lifecycle import Hook
from toril.errors import OptionError
from toril.model.autoscale import Autoscale, check_autoscale
from toril.model.checks import check_bool, check_int, check_mapping, check_number, check_runs
from toril.model.duration import Duration, positive_ms
from toril.model.job import JobRecord
from toril.model.keep import Keep, Retention, parse_keep, resolve_keep
from toril.model.rate_limit import RateLimiter
from toril.model.time_limits import TimeLimitOption, TimeRules, parse_time_limits

#: A custom backoff: attempts made (this one included), type, error, job → seconds, or ``None`` to stop.
BackoffStrategy = Callable[[int, str, BaseException, JobRecord], "float | Awaitable[float | None] | None"]

# Locks and looks for stalled jobs can't be shorter than what it takes to renew or to look.
_SHORTEST_MS = 10


class WorkerOptions(TypedDict, total=False):
    """Options of a worker; durations are seconds or timedelta.

    Attributes:
        name: Name of the worker; stored with the jobs it runs and shown in dashboards. Default none.
        concurrency: How many jobs run at once, over all queues. A pair ``(min, max)`` or an ``Autoscale``
            lets the worker decide, by how long jobs wait. Default 1.
        policy: How several queues share the slots: ``"weighted"``, by their weights, or ``"strict"``, the
            earlier ones first. Default ``"weighted"``.
        priority_share: The share of jobs, 0 to 1, that are taken for their age though others have a higher
            priority: 0.1 is one in ten. Default 0.
        lock_duration: How long a job is ours without renewal. Default 30 s.
        lock_renew_time: Locks that were not renewed for half of this are. Default half of ``lock_duration``.
        skip_lock_renewal: Renew no locks. Default false.
        stalled_interval: Time between two looks for jobs whose worker is gone. Default 30 s.
        max_stalled_count: A job that was given back more often fails. Default 1.
        skip_stalled_check: Don't look for such jobs. Default false.
        heartbeat_interval: Time between two reports of how the worker is, for ``Queue.workers``. A
            worker that misses three is told to be lost. Default 30 s.
        skip_heartbeat: Don't report. Default false.
        max_started_attempts: A job that was started more often fails without being run. Default 0, no bound.
        timeout: An attempt that runs longer is stopped and fails with ``JobTimeout``, for jobs that don't
            say; a mapping gives limits by the name of jobs, ``"*"`` for all others. Default never.
        soft_timeout: ``SoftTimeout`` is raised in a handler that runs longer; in the same form. Default
            never.
        cancel_grace: A handler that was told to end and goes on for so long loses its slot; its child process
            is ended, if it runs in one. Default 5 s.
        drain_delay: Longest wait for word of a job before looking anyway. Default 5 s.
        run_retry_delay: Longest pause between tries when the server does not answer. Default 15 s.
        maximum_rate_limit_delay: Longest wait for a rate limit to end before looking anyway. Default 30 s.
        limiter: Rate limit of the queue. Default none.
        remove_on_complete: How many completed jobs to keep, for jobs that don't say. Default all.
        remove_on_fail: How many failed jobs to keep, for jobs that don't say. Default all.
        metrics_points: Keep counts of finished jobs for so many minutes. Default none.
        backoff_strategies: Custom backoffs by their type; ``"*"`` answers for all others. Default none.
        repeat_strategy: Says when job schedulers fire whose pattern is no cron line. Default none.
        middleware: Called around each handler, the first one outermost. Default none.
        on_start: Called with the worker before it takes its first job, in each process. Default none.
        on_stop: Called with the worker after its last job. Default none.
        isolation: Where handlers run: on the event ``"loop"``, in a ``"thread"`` or in a child ``"process"``;
            or one of these for each name of jobs. Default by the kind of function.
        max_jobs_per_child: A child that ran so many jobs is replaced. Default no bound.
        max_memory_per_child: One that has more bytes than that after a job is replaced. Default no bound.
        on_child_start: Called by each child before its first job; plain or ``async``. Default none.
        on_child_stop: Called by each child that leaves in order; plain or ``async``. Default none.
    """

    name: str | None
    concurrency: int | tuple[int, int] | Autoscale
    policy: Policy
    priority_share: float
    lock_duration: Duration
    lock_renew_time: Duration | None
    skip_lock_renewal: bool
    stalled_interval: Duration
    max_stalled_count: int
    skip_stalled_check: bool
    heartbeat_interval: Duration
    skip_heartbeat: bool
    max_started_attempts: int | None
    timeout: TimeLimitOption | None
    soft_timeout: TimeLimitOption | None
    cancel_grace: Duration
    drain_delay: Duration
    run_retry_delay: Duration
    maximum_rate_limit_delay: Duration
    limiter: RateLimiter | None
    remove_on_complete: bool | int | Keep | Mapping[str, Any] | None
    remove_on_fail: bool | int | Keep | Mapping[str, Any] | None
    metrics_points: int | None
    backoff_strategies: Mapping[str, BackoffStrategy] | None
    repeat_strategy: RepeatStrategy | None
    middleware: Sequence[RunMiddleware]
    on_start: Hook | None
    on_stop: Hook | None
    isolation: str | Mapping[str, str] | None
    max_jobs_per_child: int | None
    max_memory_per_child: int | None
    on_child_start: ChildHook | None
    on_child_stop: ChildHook | None


class Settings(msgspec.Struct, kw_only=True):
    """The options of a worker, in the units the worker counts in."""

    name: str | None = None
    concurrency: int = 1
    autoscale: Autoscale | None = None
    policy: Policy = "weighted"
    priority_share: float = 0.0
    lock_ms: int = 30_000
    renew_ms: int = 15_000
    skip_lock_renewal: bool = False
    stalled_ms: int = 30_000
    max_stalled_count: int = 1
    skip_stalled_check: bool = False
    heartbeat_ms: int = 30_000
    skip_heartbeat: bool = False
    max_started_attempts: int | None = None
    timeouts: Mapping[str, int | None] = msgspec.field(default_factory=dict[str, int | None])
    soft_timeouts: Mapping[str, int | None] = msgspec.field(default_factory=dict[str, int | None])
    cancel_grace: float = 5.0
    drain_delay: float = 5.0
    run_retry_delay: float = 15.0
    maximum_rate_limit_delay: float = 30.0
    limit: tuple[int, int] | None = None
    keep_completed: Retention = msgspec.field(default_factory=Retention)
    remove_on_complete: Any = None
    remove_on_fail: Any = None
    metrics_points: int | None = None
    time_rules: TimeRules = msgspec.field(default_factory=lambda: TimeRules({}, {}))
    backoff_strategies: Mapping[str, BackoffStrategy] = msgspec.field(
        default_factory=dict[str, BackoffStrategy]
    )
    repeat_strategy: RepeatStrategy | None = None
    middleware: Sequence[RunMiddleware] = ()
    on_start: Hook | None = None
    on_stop: Hook | None = None
    isolation: Choice = None
    children: ChildOptions = msgspec.field(default_factory=ChildOptions)

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Settings:
        """Check the options a worker is made with.

        Raises:
            OptionError: One of them has a wrong name, type, range or unit.
        """
        for option, value in options.items():
            if option not in WorkerOptions.__annotations__:
                raise OptionError.unknown(option, value, WorkerOptions.__annotations__)
        settings = cls()
        for option, value in options.items():
            if value is not None:
                _READERS[option](settings, option, value)
        if options.get("lock_renew_time") is None:
            settings.renew_ms = settings.lock_ms // 2
        if settings.renew_ms >= settings.lock_ms:
            raise OptionError(
                "lock_renew_time", options.get("lock_renew_time"), "must be below lock_duration"
            )
        settings.time_rules = TimeRules(settings.timeouts, settings.soft_timeouts)
        settings.children.grace = settings.cancel_grace
        settings.keep_completed = resolve_keep(None, settings.remove_on_complete)
        if not uses_children(settings.isolation):
            refuse_idle(options)
        return settings

    @property
    def longest_end(self) -> float:
        """Seconds after which handlers that were told to end have ended, if they run in children."""
        return self.children.longest_end if uses_children(self.isolation) else 0.0


def read_concurrency(value: object, option: str = "concurrency") -> tuple[int, Autoscale | None]:
    """A number of slots to begin with, and how they are scaled, if they are.

    Raises:
        OptionError: It is no whole number above 0, no pair of them, and no ``Autoscale`` that makes sense.
    """
    if isinstance(value, tuple):
        pair = cast("tuple[Any, ...]", value)
        if len(pair) != 2:
            raise OptionError(option, pair, "must be (min, max), or one whole number")
        value = Autoscale(*pair)
    if isinstance(value, Autoscale):
        scale = check_autoscale(value, option)
        return scale.min, scale
    return check_int(value, option, 1), None


def _concurrency(settings: Settings, option: str, value: Any) -> None:
    settings.concurrency, settings.autoscale = read_concurrency(value, option)


def _policy(settings: Settings, option: str, value: Any) -> None:
    if not isinstance(value, str) or value not in DEALS:
        raise OptionError.no_such(option, value, DEALS)
    settings.policy = value


def _priority_share(settings: Settings, option: str, value: Any) -> None:
    settings.priority_share = check_number(value, option, 0, 1)


def _name(settings: Settings, option: str, value: Any) -> None:
    if not isinstance(value, str) or not value or not all("!" <= letter <= "~" for letter in value):
        rule = "must be of the characters '!' to '~' (ASCII, no blanks), since connections are named by it"
        raise OptionError(option, value, rule)
    settings.name = value


def _limiter(settings: Settings, option: str, value: Any) -> None:
    if not isinstance(value, RateLimiter):
        raise OptionError(option, value, "give RateLimiter(max, per)")
    settings.limit = (check_int(value.max, "limiter.max", 1), positive_ms(value.per, "limiter.per"))


def _strategies(settings: Settings, option: str, value: Any) -> None:
    strategies = check_mapping(value, option, value)
    if not all(callable(strategy) for strategy in strategies.values()):
        raise OptionError(option, value, "give functions by the name of the backoff type")
    settings.backoff_strategies = value


def _middleware(settings: Settings, option: str, value: Any) -> None:
    settings.middleware = check_middleware(value, option, "job")


def _function_that(task: str) -> Callable[[Settings, str, Any], None]:
    def read(settings: Settings, option: str, value: Any) -> None:
        if not callable(value):
            raise OptionError(option, value, f"must be a function that {task}")
        check_runs(value, option)
        setattr(settings, option, value)

    return read


def _whole_into(attribute: str, lowest: int) -> Callable[[Settings, str, Any], None]:
    return lambda settings, option, value: setattr(settings, attribute, check_int(value, option, lowest))


def _ms_into(attribute: str, lowest: int = 1) -> Callable[[Settings, str, Any], None]:
    return lambda settings, option, value: setattr(settings, attribute, positive_ms(value, option, lowest))


def _seconds_into(attribute: str) -> Callable[[Settings, str, Any], None]:
    return lambda settings, option, value: setattr(settings, attribute, positive_ms(value, option) / 1000)


def _time_limits_into(attribute: str) -> Callable[[Settings, str, Any], None]:
    return lambda settings, option, value: setattr(settings, attribute, parse_time_limits(value, option))


def _max_started(settings: Settings, option: str, value: Any) -> None:
    # 0 is no bound, as in BullMQ; it would fail every job.
    settings.max_started_attempts = check_int(value, option, 0) or None


def _flag(settings: Settings, option: str, value: Any) -> None:
    setattr(settings, option, check_bool(value, option))


def _retention(settings: Settings, option: str, value: Any) -> None:
    setattr(settings, option, parse_keep(value, option))


def _isolation(settings: Settings, option: str, value: Any) -> None:
    settings.isolation = read_isolation(option, value)


def _children(settings: Settings, option: str, value: Any) -> None:
    CHILD_READERS[option](settings.children, option, value)


_READERS: dict[str, Callable[[Settings, str, Any], None]] = {
    "name": _name,
    "concurrency": _concurrency,
    "policy": _policy,
    "priority_share": _priority_share,
    "lock_duration": _ms_into("lock_ms", _SHORTEST_MS),
    "lock_renew_time": _ms_into("renew_ms"),
    "skip_lock_renewal": _flag,
    "stalled_interval": _ms_into("stalled_ms"),
    "max_stalled_count": _whole_into("max_stalled_count", 0),
    "skip_stalled_check": _flag,
    "heartbeat_interval": _ms_into("heartbeat_ms", _SHORTEST_MS),
    "skip_heartbeat": _flag,
    "max_started_attempts": _max_started,
    "timeout": _time_limits_into("timeouts"),
    "soft_timeout": _time_limits_into("soft_timeouts"),
    "cancel_grace": _seconds_into("cancel_grace"),
    "drain_delay": _seconds_into("drain_delay"),
    "run_retry_delay": _seconds_into("run_retry_delay"),
    "maximum_rate_limit_delay": _seconds_into("maximum_rate_limit_delay"),
    "limiter": _limiter,
    "remove_on_complete": _retention,
    "remove_on_fail": _retention,
    "metrics_points": _whole_into("metrics_points", 1),
    "backoff_strategies": _strategies,
    "repeat_strategy": _function_that("says when a pattern fires next"),
    "middleware": _middleware,
    "on_start": _function_that("takes the worker"),
    "on_stop": _function_that("takes the worker"),
    "isolation": _isolation,
    **dict.fromkeys(CHILD_READERS, _children),
}
