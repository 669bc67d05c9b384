"""From a function to a command: what each of them takes, how it runs, and how it ends.

A command is a function, plain or ``async``, whose first parameter is ``Settings`` and whose others are
options and arguments of typer. It answers nothing, or its exit code; errors of toril become one line.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any

import typer

from toril.cli.failures import Code, code_of

Answer = Code | None
Awaitable = Coroutine[Any, Any, Answer]

QueueName = Annotated[str, typer.Argument(metavar="QUEUE", help="Name of the queue.")]
AnyQueue = Annotated[
    str | None,
    typer.Argument(metavar="[QUEUE]", help="Name of a queue; without, all of them.", show_default=False),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]

_EVERYWHERE = "Everywhere"

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="The server; default TORIL_URL, REDIS_URL or the embedded server.",
        rich_help_panel=_EVERYWHERE,
        show_default=False,
    ),
]
Prefix = Annotated[
    str | None,
    typer.Option(
        "--prefix",
        help="Prefix of the queues' keys; default bull.",
        rich_help_panel=_EVERYWHERE,
        show_default=False,
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print JSON, for programs.", rich_help_panel=_EVERYWHERE),
]

# What each command takes beside its own, with defaults.
_SHARED: dict[str, tuple[object, object]] = {
    "ctx": (typer.Context, inspect.Parameter.empty),
    "url": (Url, None),
    "prefix": (Prefix, None),
    "json": (Json, False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is given to each command.

    Attributes:
        url: Of the server; ``None`` is what the library takes by default.
        prefix: Prefix of the queues' keys.
        json: Print JSON.
    """

    url: str | None = None
    prefix: str = "bull"
    json: bool = False

    def refined(self, url: str | None, prefix: str | None, json: bool) -> Settings:
        """What is said behind the command's name has the last word over what is said before it."""
        return Settings(url=url or self.url, prefix=prefix or self.prefix, json=json or self.json)


def command(function: Callable[..., Answer | Awaitable]) -> Callable[..., None]:
    """A function as typer takes it, with the options that each command has."""

    @wraps(function)
    def run(ctx: typer.Context, url: str | None, prefix: str | None, json: bool, **given: Any) -> None:
        given_before = ctx.obj if isinstance(ctx.obj, Settings) else Settings()
        settings = given_before.refined(url, prefix, json)
        raise typer.Exit(_guarded(lambda: function(settings, **given)))

    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter(name, keyword, default=default, annotation=annotation)
        for name, (annotation, default) in _SHARED.items()
    ]
    parameters = [one.replace(kind=keyword) for one in own] + shared
    run.__dict__["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _guarded(call: Callable[[], Answer | Awaitable]) -> Code:
    try:
        code = _awaited(call())
        sys.stdout.flush()
    except KeyboardInterrupt:
        return Code.INTERRUPTED
    except BrokenPipeError:
        # At its end Python would try to write what is left, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Code.PIPE
    except Exception as error:
        failed = code_of(error)
        if failed is None:
            raise
        typer.echo(f"toril: {error}", err=True)
        return failed
    return code or Code.OK


def _awaited(answer: Answer | Awaitable) -> Answer:
    if not isinstance(answer, Coroutine):
        return answer
    import asyncio

    return asyncio.run(answer)
