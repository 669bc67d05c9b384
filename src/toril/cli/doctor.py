"""``toril doctor``: what is wrong, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from toril.cli.failures import Code
from toril.cli.output import confirm, note, plain, say, show_json
from toril.cli.running import Settings, Yes, command

if TYPE_CHECKING:
    from toril import Queue, ServerInfo
    from toril.cli.connection import Connected
    from toril.doctor import Finding

# So many ids of a finding are printed.
_IDS = 10


@command
async def doctor(
    settings: Settings,
    queue: Annotated[
        list[str] | None, typer.Option(help="Only this queue; may be repeated.", show_default=False)
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Repair what can be repaired without harm.")] = False,
    yes: Yes = False,
) -> Code:
    """Look for what is wrong with the server and the queues, and say what to do.

    Exits with 1 if it found something.

    --fix asks, then deletes remains of jobs that are in no state, puts back lost next jobs of schedulers, and
    lets overdue delayed jobs wait.
    """
    from toril.cli.connection import connected

    async with connected(settings) as server:
        queues = await server.chosen(queue or ())
        info, findings = await _examine(server, queues)
        repaired: list[dict[str, Any]] = []
        repairable = [one for one in findings if one.repairable]
        if fix and repairable:
            for one in repairable:
                note(f"{one.queue}: {one.problem}")
            confirm(f"Repair {len(repairable)} finding(s)?", yes=yes)
            repaired = await _repair(queues, repairable)
            info, findings = await _examine(server, queues)
    if settings.json:
        show_json(
            {"server": info, "queues": len(queues), "findings": _shapes(findings), "repaired": repaired}
        )
    else:
        _show(findings, repaired, len(queues))
    return Code.FOUND if findings else Code.OK


async def _examine(server: Connected, queues: list[Queue]) -> tuple[ServerInfo, list[Finding]]:
    from toril.doctor import examine, look

    snapshot = await look(server.store, queues)
    return snapshot.server, examine(snapshot)


async def _repair(queues: list[Queue], findings: list[Finding]) -> list[dict[str, Any]]:
    from toril.doctor import repair

    by_name = {queue.name: queue for queue in queues}
    return [
        {"kind": one.kind, "queue": one.queue, "count": await repair(by_name[one.queue], one)}
        for one in findings
        if one.queue is not None
    ]


def _shapes(findings: list[Finding]) -> list[dict[str, Any]]:
    return [
        {
            "kind": one.kind,
            "queue": one.queue,
            "problem": one.problem,
            "advice": one.advice,
            "ids": one.ids,
            "count": one.count,
            "repairable": one.repairable,
        }
        for one in findings
    ]


def _show(findings: list[Finding], repaired: list[dict[str, Any]], queues: int) -> None:
    for done in repaired:
        say(f"repaired  {done['queue']}: {done['kind']} ({done['count']})")
    for one in findings:
        say(f"{one.kind}  {one.queue or 'server'}: {plain(one.problem)}")
        if len(one.ids) > 1:
            say(f"    ids: {', '.join(map(plain, one.ids[:_IDS]))}{', ...' if len(one.ids) > _IDS else ''}")
        say(f"    do: {plain(one.advice)}")
    if not findings:
        say(f"Nothing is wrong with the server and {queues} queue(s).")
