"""What can't be used is refused with the name of the option, and nothing is written."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.database import Database
from tests.support.factories import WorkerFactory
from toril import Backoff, Dedup, Job, JobSpec, Keep, OptionError, ParentRef, Queue, RateLimiter, Worker

WRONG_NAMES: dict[str, Any] = {
    "empty": "",
    "colon": "a:b",
    "surrogate": "a\ud800",
    "none": None,
    "number": 7,
    "bytes": b"tasks",
}
GOOD_NAMES = ["tasks", "öäü 漢字 🎈", "with blank", "{tag}", "a.b-c_d/e", "x" * 300, "\x00\n\t"]

NOT_WHOLE: list[Any] = [1.5, "3", True, -1, math.nan, [1]]
NOT_SECONDS: list[Any] = [
    0,
    -1,
    "5",
    True,
    math.nan,
    math.inf,
    timedelta(seconds=-1),
    10**20,
    datetime.now(UTC),
]
NOT_FLAGS: list[Any] = [1, 0, "yes", []]
NOT_KEPT: list[Any] = ["all", -2, 1.5, {"count": -7}, {"counts": 3}, {"age": -1}]

WRONG_WORKER_OPTIONS: dict[str, list[Any]] = {
    "name": ["", "two words", 7, "line\nbreak"],
    "concurrency": [*NOT_WHOLE, 0],
    "lock_duration": NOT_SECONDS,
    "lock_renew_time": NOT_SECONDS,
    "stalled_interval": NOT_SECONDS,
    "timeout": [*NOT_SECONDS, {"a": 0}, {5: 5}],
    "soft_timeout": [*NOT_SECONDS, {"a": 0}, {5: 5}],
    "cancel_grace": NOT_SECONDS,
    "drain_delay": NOT_SECONDS,
    "run_retry_delay": NOT_SECONDS,
    "maximum_rate_limit_delay": NOT_SECONDS,
    "max_stalled_count": NOT_WHOLE,
    "max_started_attempts": [1.5, "3", True, -1],
    "metrics_points": [1.5, "3", True, -1, 0],
    "skip_lock_renewal": NOT_FLAGS,
    "skip_stalled_check": NOT_FLAGS,
    "remove_on_complete": NOT_KEPT,
    "remove_on_fail": NOT_KEPT,
    "limiter": [5, {"max": 1}, RateLimiter(0, 1), RateLimiter(1, 0), RateLimiter(1, -1)],
    "backoff_strategies": [5, {"mine": 5}, [print]],
}

SOON = datetime(2030, 1, 1, tzinfo=UTC)
WRONG_ADD_OPTIONS: dict[str, list[Any]] = {
    "attempts": [1.5, "3", True, -1],
    "backoff": [-1, "1s", {"delay": 5}, {"type": ""}, math.nan],
    "delay": [-1, "5", math.nan, math.inf, True, timedelta(days=-1), 10**20],
    "at": ["2030-01-01", 1_800_000_000, SOON.replace(tzinfo=None)],
    "priority": [1.5, "1", True, 2_097_152, -2_097_152],
    "lifo": NOT_FLAGS,
    "job_id": [7, "7", "0", "-7", "a:b", "0:7", "wait", "meta", "completed", b"x", "\ud800"],
    "on_duplicate": ["skip", 1, None],
    "remove_on_complete": NOT_KEPT,
    "remove_on_fail": NOT_KEPT,
    "keep_logs": [1.5, "3", -1],
    "stack_trace_limit": [1.5, "3", -1],
    "size_limit": [-1, 1.5, 3],
    "timestamp": [0, "now", SOON.replace(tzinfo=None)],
    "parent": [5, {"id": "1"}, {"id": "", "queue": "bull:q"}, {"id": "1", "queue": "noprefix"}],
    "deduplication": [5, {}, {"id": ""}, {"id": "d", "ttl": -1}, {"id": "d", "often": True}],
    "on_failure": ["explode", 1],
    "fail_parent_on_failure": NOT_FLAGS,
    "timeout": NOT_SECONDS,
    "soft_timeout": NOT_SECONDS,
    "expires_in": NOT_SECONDS,
    "telemetry": [5, {"metadata": 5}, {"other": "x"}],
    "extra": [5, {"attempts": 5}, {"a": object()}, {"b": math.nan}],
    "no_such_option": [1],
    "dealy": [1],
}
# What is no mistake before there is a job.
WRONG_DEFAULTS = {
    option: wrong for option, wrong in WRONG_ADD_OPTIONS.items() if option not in ("extra", "size_limit")
}
EXCLUDING: list[dict[str, Any]] = [
    {"delay": 1, "at": SOON},
    {"fail_parent_on_failure": True, "ignore_dependency_on_failure": True},
    {"parent": ParentRef("1", "bull:q"), "deduplication": Dedup.simple("d")},
]


def each(options: dict[str, list[Any]]) -> list[Any]:
    """Each option with each of its wrong values."""
    return [
        pytest.param({option: value}, id=f"{option}-{number}")
        for option, values in options.items()
        for number, value in enumerate(values)
    ]


def looped() -> Any:
    value: dict[str, Any] = {}
    value["itself"] = value
    return value


def deep() -> Any:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


WRONG_PAYLOADS: dict[str, Any] = {
    "NaN": math.nan,
    "NaN inside": {"a": [1, {"b": math.nan}]},
    "infinity": [math.inf],
    "cycle": looped(),
    "too deep": deep(),
    "surrogate": {"text": "half a \ud83d"},
    "surrogate as key": {"\udc00": 1},
    "object": object(),
    "function": {"f": print},
    "number as key of a class": {object(): 1},
    "generator": (n for n in range(3)),
}


@pytest.mark.parametrize("kind", WRONG_NAMES)
def test_wrong_names_of_queues_are_refused(kind: str) -> None:
    with pytest.raises(OptionError):
        Queue(WRONG_NAMES[kind])
    with pytest.raises(OptionError):
        Worker(WRONG_NAMES[kind])


@pytest.mark.parametrize("kind", [kind for kind in WRONG_NAMES if kind != "colon"])
def test_wrong_prefixes_are_refused(kind: str) -> None:
    with pytest.raises(OptionError):
        Queue("tasks", prefix=WRONG_NAMES[kind])
    with pytest.raises(OptionError):
        Worker("tasks", prefix=WRONG_NAMES[kind])


@pytest.mark.parametrize("name", GOOD_NAMES)
async def test_any_other_name_works(url: str, prefix: str, name: str) -> None:
    async def handler(job: Job) -> str:
        return job.queue_name

    async with (
        Queue(name, url=url, prefix=prefix) as queue,
        Worker(name, handler, url=url, prefix=prefix) as worker,
    ):
        await worker.start()
        assert await (await queue.add("work")).result(timeout=5) == name


@pytest.mark.parametrize("wrong", NOT_WHOLE)
def test_a_wrong_bound_of_events_is_refused(wrong: Any) -> None:
    with pytest.raises(OptionError, match="max_events"):
        Queue("tasks", max_events=wrong)


@pytest.mark.parametrize("wrong", each(WRONG_DEFAULTS))
def test_wrong_defaults_of_a_queue_are_refused(wrong: Any) -> None:
    with pytest.raises(OptionError):
        Queue("tasks", default_job_options=wrong)


@pytest.mark.parametrize("wrong", ["nowhere", "http://host", "redis://host:port", "redis+sentinel://host"])
async def test_a_url_that_can_not_be_read_is_refused(wrong: str) -> None:
    with pytest.raises(OptionError, match="url"):
        await Queue("tasks", url=wrong).add("work")


@pytest.mark.parametrize("wrong", each(WRONG_WORKER_OPTIONS))
def test_wrong_options_of_a_worker_are_refused(new_worker: WorkerFactory, wrong: dict[str, Any]) -> None:
    (option,) = wrong
    with pytest.raises(OptionError) as caught:
        new_worker(**wrong)
    assert option in str(caught.value)


def test_an_unknown_option_of_a_worker_is_refused_with_the_nearest_known_one(
    new_worker: WorkerFactory,
) -> None:
    with pytest.raises(OptionError, match="did you mean 'concurrency'"):
        new_worker(concurency=5)


def takes_nothing() -> None:
    """Of no use as a handler."""


def takes_two(job: Job, more: object) -> None:
    """Of no use either."""


@pytest.mark.parametrize("handler", [5, "work", [], takes_nothing, takes_two])
def test_a_handler_that_can_not_take_a_job_is_refused(new_worker: WorkerFactory, handler: Any) -> None:
    with pytest.raises(OptionError, match="handler"):
        new_worker(handler)


@pytest.mark.parametrize("wrong", [*each(WRONG_ADD_OPTIONS), *EXCLUDING])
async def test_nothing_is_written_for_wrong_options(queue: Queue, database: Database, wrong: Any) -> None:
    before = database.dump(own_keys=True)
    with pytest.raises(OptionError):
        await queue.add("work", {"some": "data"}, **wrong)
    with pytest.raises(OptionError):
        await queue.add_many([("fine", None), JobSpec("work", {"some": "data"}, wrong)])

    assert database.dump(own_keys=True) == before


@pytest.mark.parametrize("kind", WRONG_PAYLOADS)
async def test_nothing_is_written_for_payloads_without_json_form(
    queue: Queue, database: Database, kind: str
) -> None:
    before = database.dump(own_keys=True)
    with pytest.raises(OptionError, match="data"):
        await queue.add("work", WRONG_PAYLOADS[kind])
    with pytest.raises(OptionError, match="data"):
        await queue.add_many([("fine", None), ("work", WRONG_PAYLOADS[kind])])

    assert database.dump(own_keys=True) == before


@pytest.mark.parametrize("name", [None, 5, b"work", "\ud800"])
async def test_nothing_is_written_for_names_of_jobs_that_are_no_text(
    queue: Queue, database: Database, name: Any
) -> None:
    before = database.dump(own_keys=True)
    with pytest.raises(OptionError, match="name"):
        await queue.add(name)

    assert database.dump(own_keys=True) == before


@pytest.mark.parametrize("wrong", [5, ("work",), "work", {"name": "work"}, ["work", {}], ("a", 1, {}, 3)])
async def test_nothing_is_written_for_what_is_no_job(queue: Queue, database: Database, wrong: Any) -> None:
    before = database.dump(own_keys=True)
    with pytest.raises(OptionError):
        await queue.add_many([("fine", None), wrong])

    assert database.dump(own_keys=True) == before


async def test_a_payload_of_50_mb_goes_through(queue: Queue) -> None:
    text = "x" * 50_000_000
    job = await queue.add("work", text)
    stored = await queue.get_job(job.id)

    assert stored is not None
    assert stored.data == text


async def test_a_payload_beyond_what_servers_take_is_refused(queue: Queue, database: Database) -> None:
    before = database.dump(own_keys=True)
    with pytest.raises(OptionError, match="bytes"):
        await queue.add("work", "x" * 140_000_000)

    assert database.dump(own_keys=True) == before


async def test_a_size_limit_is_of_bytes(queue: Queue) -> None:
    with pytest.raises(OptionError, match="size_limit"):
        await queue.add("work", "ä" * 10, size_limit=21)
    assert (await queue.add("work", "ä" * 10, size_limit=22)).created


@pytest.mark.parametrize("wrong", ["waitng", "done", ""])
async def test_unknown_states_are_refused(queue: Queue, wrong: Any) -> None:
    with pytest.raises(OptionError):
        await queue.get_job_counts(wrong)
    with pytest.raises(OptionError):
        await queue.get_jobs([wrong])
    with pytest.raises(OptionError):
        await queue.retry_jobs(wrong)


@pytest.mark.parametrize("wrong", [-1, "1", math.nan, True])
async def test_wrong_durations_of_verbs_are_refused(queue: Queue, database: Database, wrong: Any) -> None:
    job = await queue.add("work", delay=60)
    before = database.dump(own_keys=True)
    for call in (job.change_delay(wrong), queue.rate_limit(wrong), job.extend_lock(wrong), job.result(wrong)):
        with pytest.raises(OptionError):
            await call

    assert database.dump(own_keys=True).keys() == before.keys()


@pytest.mark.parametrize("wrong", [-1, 2_097_152, 1.5, "1", True, None])
async def test_wrong_priorities_are_refused(queue: Queue, wrong: Any) -> None:
    job = await queue.add("work")
    with pytest.raises(OptionError, match="priority"):
        await job.change_priority(wrong)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "7", None])
async def test_wrong_counts_are_refused(queue: Queue, wrong: Any) -> None:
    with pytest.raises(OptionError, match="count"):
        await queue.retry_jobs(count=wrong)
    with pytest.raises(OptionError, match="count"):
        await queue.promote_jobs(count=wrong)


@pytest.mark.parametrize("row", [None, 5, b"row", "half a \ud83d", ["a"]])
async def test_rows_of_logs_are_made_texts(queue: Queue, row: Any) -> None:
    job = await queue.add("work")
    await queue.add_job_log(job.id, row)
    await job.log(row)

    assert [type(text) for text in (await job.logs()).rows] == [str, str]


@pytest.mark.parametrize("wrong", [1.5, "3", -1])
async def test_wrong_bounds_of_logs_are_refused(queue: Queue, wrong: Any) -> None:
    job = await queue.add("work")
    with pytest.raises(OptionError, match="keep_logs"):
        await queue.add_job_log(job.id, "row", keep_logs=wrong)
    assert (await job.logs()).count == 0


@pytest.mark.parametrize("make", [Backoff.fixed, Backoff.exponential, Backoff.linear, Backoff.custom, Dedup])
def test_wrong_parts_of_values_are_refused(make: Any) -> None:
    with pytest.raises(OptionError):
        make(-1)


@pytest.mark.parametrize("wrong", [{"count": -2}, {"count": 1.5}, {"age": -1}, {"age": "1h"}, {"limit": 0}])
def test_wrong_rules_for_keeping_are_refused(wrong: Any) -> None:
    with pytest.raises(OptionError):
        Keep(**wrong)


async def test_a_wrong_name_of_a_state_kind_or_event_is_called_what_it_is(
    queue: Queue, new_worker: WorkerFactory
) -> None:
    job = await queue.add("work")
    with pytest.raises(OptionError, match="state='wating': there is no such state; did you mean 'waiting'"):
        await queue.get_jobs("wating")
    with pytest.raises(OptionError, match="kind='procesed': there is no such kind; did you mean 'processed'"):
        await job.dependencies(procesed=(0, 10))
    with pytest.raises(
        OptionError, match="event='complete': there is no such event; did you mean 'completed'"
    ):
        new_worker().on("complete", print)
