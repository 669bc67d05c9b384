"""``toril add``: one job from the command line."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from toril.cli.failures import refused, unusable
from toril.cli.output import note, say, show_json
from toril.cli.running import Settings, command
from toril.cli.spans import is_span, seconds_of

QueueName = Annotated[str, typer.Argument(metavar="QUEUE", help="Name of the queue; a new one is made.")]
JobName = Annotated[str, typer.Argument(metavar="NAME", help="What kind of job it is.")]
Data = Annotated[
    str,
    typer.Argument(
        metavar="[DATA]", help="JSON text, @file, or - for what comes in; default {}.", show_default=False
    ),
]
Delay = Annotated[
    str | None, typer.Option(help="Run no sooner than in so long: 90, 10m, 1h30m.", show_default=False)
]
At = Annotated[
    str | None, typer.Option(help="Run no sooner than at this instant (ISO 8601).", show_default=False)
]
Priority = Annotated[
    int | None, typer.Option(help="1 and more, lower runs earlier; without, first.", show_default=False)
]
Attempts = Annotated[int | None, typer.Option(help="How often it may be tried.", show_default=False)]
BackoffText = Annotated[
    str | None,
    typer.Option(help="Between attempts: a span, or kind:span as exponential:1s.", show_default=False),
]
JobId = Annotated[str | None, typer.Option(help="An id of your own.", show_default=False)]
Lifo = Annotated[bool, typer.Option("--lifo", help="In front of those that wait.")]
More = Annotated[
    list[str] | None,
    typer.Option(
        "--option", "-o", metavar="NAME=JSON", help="Any other option of Queue.add.", show_default=False
    ),
]


@command
async def add(
    settings: Settings,
    queue: QueueName,
    name: JobName,
    data: Data = "{}",
    *,
    delay: Delay = None,
    at: At = None,
    priority: Priority = None,
    attempts: Attempts = None,
    backoff: BackoffText = None,
    job_id: JobId = None,
    lifo: Lifo = False,
    option: More = None,
) -> None:
    """Add a job."""
    from toril.cli.connection import connected, exists
    from toril.cli.shapes import job_shape

    options = {
        **dict(map(_named, option or ())),
        **({} if delay is None else {"delay": seconds_of(delay, "delay")}),
        **({} if at is None else {"at": _instant(at)}),
        **({} if backoff is None else {"backoff": _backoff(backoff)}),
        **({"lifo": True} if lifo else {}),
    }
    plain = {"priority": priority, "attempts": attempts, "job_id": job_id}
    options |= {key: value for key, value in plain.items() if value is not None}
    payload = _read(data)
    async with connected(settings) as server:
        is_new = not await exists(server.queue(queue))
        job = await server.queue(queue, announce=True).add(name, payload, **cast("Any", options))
        state = await job.state()
    if is_new:
        note(f"queue {queue!r} is new")
    if settings.json:
        show_json({**job_shape(job, state), "created": job.created})
    else:
        say(job.id)
    if not job.created:
        raise refused(f"nothing was added: job {job.id!r} was there before")


def _read(data: str) -> Any:
    import msgspec

    try:
        return msgspec.json.decode(_text_of(data))
    except msgspec.DecodeError as error:
        hint = "" if data[:1] in ("@", "-") else "; a text needs quotes of its own: '\"text\"'"
        raise unusable(f"DATA is no JSON: {error}{hint}") from None


def _text_of(data: str) -> bytes:
    if data == "-":
        return sys.stdin.buffer.read()
    if not data.startswith("@"):
        return data.encode("utf-8", "surrogateescape")
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise unusable(f"DATA can't be read from {data[1:]}: {error.strerror}") from None


def _named(option: str) -> tuple[str, Any]:
    """An option from its name and its value, which is JSON or else a text."""
    import msgspec

    name, equals, value = option.partition("=")
    if not equals:
        raise unusable(f"--option {option!r}: must be NAME=JSON, such as remove_on_complete=true")
    try:
        return name.replace("-", "_"), msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name.replace("-", "_"), value


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise unusable(f"--at {text!r}: must be an instant such as 2030-12-31T18:00+01:00") from None
    # Without a zone it is that of whoever types it.
    return instant if instant.tzinfo is not None else instant.astimezone()


def _backoff(text: str) -> Any:
    from toril import Backoff

    if is_span(text):
        return Backoff.fixed(seconds_of(text, "backoff"))
    kind, _, span = text.partition(":")
    makers = {"fixed": Backoff.fixed, "exponential": Backoff.exponential, "linear": Backoff.linear}
    if kind in makers:
        return makers[kind](seconds_of(span, "backoff"))
    return Backoff.custom(kind, seconds_of(span, "backoff") if span else 0)
