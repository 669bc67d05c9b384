"""Each example prints what its last lines say, however often it is run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
MOST_LINES = 60
MARK = "\n# Output:\n"
PATIENCE = 40.0


def examples() -> list[str]:
    return sorted(path.stem for path in EXAMPLES.glob("*.py") if not path.stem.startswith("_"))


def text_of(name: str) -> str:
    return (EXAMPLES / f"{name}.py").read_text()


def output_in(text: str) -> str:
    lines = text.partition(MARK)[2].splitlines()
    return "".join(line.removeprefix("#").removeprefix(" ") + "\n" for line in lines)


def run(name: str, home: Path) -> str:
    """What an example prints; warnings are errors, and nothing may be said about trouble."""
    environment = {key: value for key, value in os.environ.items() if key not in ("TORIL_URL", "REDIS_URL")}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")],
        env={**environment, "TORIL_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", examples())
def test_example_prints_what_it_says(name: str, tmp_path: Path) -> None:
    expected = output_in(text_of(name))

    assert expected
    assert run(name, tmp_path) == expected
    # The second time its first run's jobs are still there.
    assert run(name, tmp_path) == expected


@pytest.mark.parametrize("name", examples())
def test_example_is_short(name: str) -> None:
    assert len(text_of(name).splitlines()) < MOST_LINES
