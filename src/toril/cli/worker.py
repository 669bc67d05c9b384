"""``toril worker``: run workers, in one process or in several."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from toril.cli.failures import Code, unusable
from toril.cli.running import Settings, command

Target = Annotated[
    str,
    typer.Argument(
        metavar="MODULE:TARGET",
        help="A Worker, a list of them, an object with workers(), or a function that gives any of these.",
    ),
]
Queues = Annotated[
    str | None,
    typer.Option(help="Run the workers of these queues only: names and patterns, with commas between them."),
]
Concurrency = Annotated[int | None, typer.Option(help="Jobs at once, of each worker.", min=1)]
Processes = Annotated[
    str | None,
    typer.Option(
        metavar="N|MIN-MAX",
        help="So many processes, or as many as the work asks for; auto is one for each core.",
    ),
]
Reload = Annotated[bool, typer.Option("--reload", help="Start anew when a Python file here is saved.")]
Burst = Annotated[bool, typer.Option("--burst", help="Leave when nothing is left to do.")]
MaxJobs = Annotated[int | None, typer.Option(help="Replace a process after so many jobs.", min=1)]
MaxMemory = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Replace a process above this, such as 512MB.")
]
Level = Annotated[str, typer.Option(help="debug, info, warning, error or critical.")]
Format = Annotated[str, typer.Option(help="text or json.")]
Health = Annotated[
    str | None,
    typer.Option(metavar="[HOST:]PORT", help="Answer /live, /ready and /metrics by HTTP there."),
]
Grace = Annotated[str, typer.Option(metavar="SPAN", help="Time that running jobs have when it is stopped.")]
Unfinished = Annotated[
    str, typer.Option(metavar="wait|fail", help="What becomes of jobs that don't finish in that time.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="A line for each job.")]


@command
def worker(
    settings: Settings,
    target: Target,
    *,
    queues: Queues = None,
    concurrency: Concurrency = None,
    processes: Processes = None,
    reload: Reload = False,
    burst: Burst = False,
    max_jobs: MaxJobs = None,
    max_memory: MaxMemory = None,
    grace: Grace = "25",
    unfinished: Unfinished = "wait",
    health_port: Health = None,
    log_level: Level = "info",
    log_format: Format = "text",
    verbose: Verbose = False,
) -> Code:
    """Run workers until they are stopped by SIGTERM or Ctrl-C; a second one stops at once.

    SIGHUP replaces the processes, one at a time, if --processes says how many there are.
    """
    from toril.cli.spans import seconds_of
    from toril.supervise.plan import FORMATS, LEVELS, Plan, byte_count, process_range
    from toril.supervise.process import work
    from toril.supervise.supervisor import supervise

    if settings.prefix != "bull":
        raise unusable(
            "--prefix: workers have their prefix from where they are made: Worker(..., prefix=...)"
        )
    if settings.url is not None:
        # For workers that were given no URL, here and in other processes; not seen by those who list them.
        os.environ["TORIL_URL"] = settings.url
    plan = Plan(
        target=target,
        queues=tuple(name.strip() for name in queues.split(",")) if queues is not None else (),
        concurrency=concurrency,
        processes=process_range(processes) if processes is not None else None,
        reload=reload,
        burst=burst,
        max_jobs=max_jobs,
        max_memory=byte_count(max_memory) if max_memory is not None else None,
        grace=seconds_of(grace, "grace"),
        fail_unfinished=_known("unfinished", unfinished, ("wait", "fail")) == "fail",
        health=health_port,
        log_level=_known("log_level", log_level, LEVELS),
        log_format="json" if settings.json or _known("log_format", log_format, FORMATS) == "json" else "text",
        verbose=verbose,
    )
    return Code(supervise(plan) if plan.supervised else work(plan))


def _known(option: str, value: str, known: tuple[str, ...]) -> str:
    """The value in small letters, if it is known.

    Raises:
        OptionError: It is none of them; the message names the nearest one.
    """
    from toril.errors import OptionError

    if value.lower() not in known:
        raise OptionError.no_such(option, value, known)
    return value.lower()
