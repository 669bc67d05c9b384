"""Whether every job was done exactly once in effect: what is wrong, a line each, and what was counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from tests.soak.evidence import Evidence
from tests.soak.excuses import Excuses
from tests.soak.ledger import CUT, DONE, FAILED, Run
from tests.soak.work import CHILDREN, task_of

# Seconds by which clocks and instants that are kept in whole milliseconds may differ.
_SLACK = 0.01
# Seconds within which a run begins whose job was handed out before an outage, and the answer came after it.
_WAKING = 2.0


def judge(evidence: Evidence, excuses: Excuses) -> list[str]:
    """All that is wrong."""
    checks: tuple[Callable[[Evidence], Iterator[str]], ...] = (
        _lost,
        _left,
        _added_twice,
        _effects,
        _told_once,
        _in_order,
    )
    wrong = [line for check in checks for line in check(evidence)]
    wrong += _attempts(evidence, excuses.killed_children)
    for task, runs in runs_of(evidence).items():
        wrong += _unexplained(task, runs, excuses)
    return wrong


def runs_of(evidence: Evidence) -> dict[str, list[Run]]:
    """The runs of each job, those that began earlier first."""
    found: defaultdict[str, list[Run]] = defaultdict(list)
    for run in evidence.runs:
        found[run.task].append(run)
    return found


def _lost(evidence: Evidence) -> Iterator[str]:
    for promise in evidence.promises:
        if promise.task is not None and promise.task not in evidence.completed:
            state = evidence.undone.get(promise.task, "gone")
            yield f"{promise.task}: was acknowledged, and is not completed but {state}"


def _left(evidence: Evidence) -> Iterator[str]:
    for task, state in evidence.undone.items():
        yield f"{task}: is left in {state}"
    for key in evidence.locks:
        yield f"{key}: is left"


def _added_twice(evidence: Evidence) -> Iterator[str]:
    counts = Counter(job.n for job in evidence.completed.values() if job.n is not None)
    for n, count in counts.items():
        if count > 1:
            yield f"number {n}: one call of add made {count} jobs"


def _effects(evidence: Evidence) -> Iterator[str]:
    marks: defaultdict[str, list[str]] = defaultdict(list)
    for effect in evidence.effects:
        marks[effect.task].append(effect.mark)
    for task, job in evidence.completed.items():
        if len(marks[task]) != 1:
            yield f"{task}: is completed, and had {len(marks[task])} effects"
        elif marks[task] != [job.mark]:
            yield f"{task}: its result is not that of its effect"
    for task in marks.keys() - evidence.completed.keys():
        yield f"{task}: had an effect, and is not completed"


def _told_once(evidence: Evidence) -> Iterator[str]:
    for task in evidence.completed.keys() | evidence.completions.keys():
        if evidence.completions[task] != 1:
            yield f"{task}: was told {evidence.completions[task]} times to be completed"
    for task, count in evidence.failures.items():
        yield f"{task}: was told {count} times to have failed for good"


def _in_order(evidence: Evidence) -> Iterator[str]:
    """Nothing runs before it is due, and parents run when their children are done."""
    began = {task: runs[0].began for task, runs in runs_of(evidence).items()}
    done = {effect.task: effect.at for effect in evidence.effects}
    tasks = {promise.n: promise.task for promise in evidence.promises}
    for promise in evidence.promises:
        if promise.task is None:
            continue
        if began.get(promise.task, promise.due) < promise.due - _SLACK:
            yield f"{promise.task}: ran before it was due"
        parent = tasks.get(promise.parent or 0)
        if parent is not None and began.get(parent, 0) < done.get(promise.task, 0):
            yield f"{parent}: ran before its child {promise.task} was done"


def _attempts(evidence: Evidence, killed_children: int) -> Iterator[str]:
    """Only failures are attempts: runs that were cut or died with their worker are not."""
    spent = 0
    failures = {promise.n: promise.failures for promise in evidence.promises}
    for task, job in evidence.completed.items():
        more = job.attempts - 1 - failures.get(job.n or 0, 0)
        if task.startswith(task_of(CHILDREN, "")) and more >= 0:
            spent += more
        elif more:
            yield f"{task}: counts {job.attempts} attempts, {more:+} of what it should"
    if spent > killed_children:
        yield f"{spent} attempts failed with their child process, and {killed_children} were killed"


def _unexplained(task: str, runs: Sequence[Run], excuses: Excuses) -> Iterator[str]:
    """Runs that nothing explains."""
    ends: list[Run] = []
    for run in runs:
        killed = not run.pids.isdisjoint(excuses.killed)
        if run.how in (DONE, FAILED):
            ends.append(run)
        elif run.ended is None and not killed:
            yield f"{task}: a run came to no end, and nobody killed its process"
        elif run.how == CUT and not killed and not _had_grace(run, excuses):
            yield f"{task}: a run was cut, but not by a stop whose grace was over ({_told(run)})"
        elif run.how not in (CUT, None):
            yield f"{task}: a run ended by {run.how}"
    if is_repeated(ends) and not _is_excused(ends, excuses):
        yield f"{task}: ran to its end {len(ends)} times ({', '.join(map(_told, ends))})"


def _had_grace(run: Run, excuses: Excuses) -> bool:
    at = run.ended or 0
    return any(began + excuses.grace - _SLACK <= at <= ended for began, ended in excuses.stops)


def is_repeated(ends: Sequence[Run]) -> bool:
    """Whether among runs that came to their end there are more than failures that were planned, and one."""
    counts = Counter(run.how for run in ends)
    # Jobs fail once at most.
    return counts[DONE] > 1 or counts[FAILED] > 1


def _is_excused(ends: Sequence[Run], excuses: Excuses) -> bool:
    first, last = ends[0].began, ends[-1].began
    return any(not run.pids.isdisjoint(excuses.killed) for run in ends) or any(
        began < last and ended + _WAKING > first for began, ended in excuses.outages
    )


def _told(run: Run) -> str:
    return f"{run.how} {run.began:.3f} to {run.ended or 0:.3f} in {sorted(run.pids)}"
