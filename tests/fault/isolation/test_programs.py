"""Handlers in the program's own file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio, os, sys
from dataclasses import dataclass
from toril import Queue, Worker

@dataclass
class Order:
    what: str

class Sad(Exception):
    pass

def handler(order: Order):
    if order.what == "nothing":
        raise Sad("nothing to do")
    return [order.what, os.getpid(), sys.argv[1:]]

async def main():
    url, prefix = sys.argv[1:]
    async with Queue("own", url=url, prefix=prefix) as queue:
        async with Worker("own", handler, url=url, prefix=prefix, isolation="process") as worker:
            errors = []
            worker.on("failed", lambda job, error, state: errors.append(error))
            what, pid, arguments = await (await queue.add("work", {"what": "tea"})).result(timeout=20)
            assert (what, arguments) == ("tea", sys.argv[1:]) and pid != os.getpid()
            sad = await queue.add("work", {"what": "nothing"})
            try:
                await sad.result(timeout=20)
            except Exception:
                assert type(errors[0]) is Sad, errors
    print("well done")
"""

GUARDED = PROGRAM + '\nif __name__ == "__main__":\n    asyncio.run(main())\n'
UNGUARDED = PROGRAM + "\nasyncio.run(main())\n"


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=50, check=False
    )


def test_a_handler_may_be_in_the_file_that_is_run(tmp_path: Path, url: str, prefix: str) -> None:
    (tmp_path / "program.py").write_text(GUARDED)

    ended = run(["program.py", url, prefix], tmp_path)

    assert (ended.stdout, ended.stderr) == ("well done\n", "")


def test_a_handler_may_be_in_the_module_that_is_run(tmp_path: Path, url: str, prefix: str) -> None:
    (tmp_path / "program.py").write_text(GUARDED)

    ended = run(["-m", "program", url, prefix], tmp_path)

    assert (ended.stdout, ended.stderr) == ("well done\n", "")


def test_a_program_that_would_start_anew_in_each_child_is_told_so(
    tmp_path: Path, url: str, prefix: str
) -> None:
    (tmp_path / "program.py").write_text(UNGUARDED)

    ended = run(["program.py", url, prefix], tmp_path)

    assert ended.returncode == 1
    assert 'put what starts it below: if __name__ == "__main__":' in ended.stderr


def test_a_handler_that_was_given_by_c_is_refused(tmp_path: Path, url: str, prefix: str) -> None:
    ended = run(["-c", UNGUARDED, url, prefix], tmp_path)

    assert ended.returncode == 1
    assert "it was typed in, or given by -c, so that no child finds it" in ended.stderr
