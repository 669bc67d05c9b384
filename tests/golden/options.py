"""Options as BullMQ names them, for toril's queues and workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.golden.times import duration
from tests.golden.values import JSON, Args, BadRecording, as_mapping, is_number
from toril import RateLimiter, from_bullmq

_Convert = Callable[[JSON], Any]


def job_options(values: JSON) -> Any:
    """Options of a job, as ``Queue.add`` takes them; none if there are none."""
    return from_bullmq(as_mapping(values)) if values is not None else {}


def queue_options(args: Args) -> dict[str, Any]:
    """Options of a queue."""
    options: dict[str, Any] = {"skip_meta_update": args.flag("skipMetasUpdate")}
    if "defaultJobOptions" in args:
        options["default_job_options"] = job_options(args.get("defaultJobOptions"))
    events = args.args("streams").args("events")
    if "maxLen" in events:
        options["max_events"] = events.integer("maxLen")
    return options


def worker_options(args: Args) -> dict[str, Any]:
    """Options of a worker, with the strategy that all recordings share."""
    options: dict[str, Any] = {}
    for name, value in args.mapping("opts").items():
        if name not in _WORKER_OPTIONS:
            raise BadRecording(f"nobody knows the worker option {name}={value!r}")
        option, convert = _WORKER_OPTIONS[name]
        options[option] = convert(value)
    if "backoffStrategy" in args:
        options["backoff_strategies"] = {"*": _demo_backoff}
    return options


def _demo_backoff(attempts_made: int, kind: str, error: BaseException, job: object) -> float | None:
    """Seconds to wait, by the type of backoff."""
    if kind == "never":
        return None
    return {"linear": float(attempts_made), "now": 0.0}.get(kind, 2.0)


def _as_is(value: JSON) -> Any:
    return value


def _ms(value: JSON) -> Any:
    return duration(float(value)) if isinstance(value, int | float) and is_number(value) else value


def _limiter(value: JSON) -> RateLimiter:
    args = Args(as_mapping(value))
    return RateLimiter(args.raw("max"), _ms(args.get("duration")))


def _points(value: JSON) -> Any:
    return as_mapping(value).get("maxDataPoints")


_WORKER_OPTIONS: dict[str, tuple[str, _Convert]] = {
    "concurrency": ("concurrency", _as_is),
    # The one duration that BullMQ counts in seconds, as toril does.
    "drainDelay": ("drain_delay", _as_is),
    "limiter": ("limiter", _limiter),
    "lockDuration": ("lock_duration", _ms),
    "lockRenewTime": ("lock_renew_time", _ms),
    "maxStalledCount": ("max_stalled_count", _as_is),
    "maxStartedAttempts": ("max_started_attempts", _as_is),
    "maximumRateLimitDelay": ("maximum_rate_limit_delay", _ms),
    "metrics": ("metrics_points", _points),
    "name": ("name", _as_is),
    "removeOnComplete": ("remove_on_complete", _as_is),
    "removeOnFail": ("remove_on_fail", _as_is),
    "runRetryDelay": ("run_retry_delay", _ms),
    "skipLockRenewal": ("skip_lock_renewal", _as_is),
    "skipStalledCheck": ("skip_stalled_check", _as_is),
    "stalledInterval": ("stalled_interval", _ms),
}
