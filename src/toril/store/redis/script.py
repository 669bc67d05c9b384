"""Server scripts: composed from files, run by their digest, their errors traced back to a line.

The head of a script says what it takes: ``@args`` names its arguments, which become locals, and
``@include`` puts a file of ``lib`` in its place, once: at the top, or inside a function that makes what it
includes only when it is needed. ``base`` is the key prefix of the queue.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "lua"
_INCLUDE = re.compile(r'^\s*--- @include "([\w/]+)"$', re.MULTILINE)
_ARGS = re.compile(r"^--- @args +(.+)$", re.MULTILINE)
_PLACE = re.compile(r"(?:user_script|@\w*):(\d+)")

# The one key a script is given is that of `meta`: it routes the call in a cluster, and names the queue.
_GUARD = (
    "end",
    "local ok, answer = pcall(main)",
    "flush_pushes()",
    "if ok then return answer end",
    "return redis.error_reply(type(answer) == 'table' and answer.err or answer)",
)
_PROLOGUE = "local base = string.sub(KEYS[1], 1, -5)"


class Script:
    """One composed script.

    Attributes:
        name: File name without its ending.
        source: The whole text that the server runs.
        digest: SHA-1 of the source.
        args: Names of the arguments, in order.
    """

    __slots__ = ("_origins", "args", "digest", "name", "source")

    def __init__(self, name: str) -> None:
        self.name: str = name
        head = (_FOLDER / f"{name}.lua").read_text()
        found = _ARGS.search(head)
        self.args: tuple[str, ...] = tuple(found.group(1).split()) if found else ()
        lines: list[tuple[str, str]] = [(_PROLOGUE, "prologue")]
        if self.args:
            values = ", ".join(f"ARGV[{i + 1}]" for i in range(len(self.args)))
            lines.append((f"local {', '.join(self.args)} = {values}", "prologue"))
        lines.extend(_guarded(_compose(name, set())))
        self._origins = [origin for _, origin in lines]
        self.source: str = "\n".join(text for text, _ in lines)
        self.digest: str = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    def explain(self, message: str) -> str:
        """An error of the server with the script's file and line in place of the composed line."""

        def place(match: re.Match[str]) -> str:
            line = int(match.group(1)) - 1
            return self._origins[line] if line < len(self._origins) else match.group(0)

        return f"{self.name}: {_PLACE.sub(place, message)}"


@cache
def script(name: str) -> Script:
    """The script of this name; composed on first use."""
    return Script(name)


def _guarded(lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A script that keeps pushes back writes them whatever else happens: no error costs a job its place."""
    if not any(text.startswith("local function flush_pushes") for text, _ in lines):
        return lines
    own = next(i for i, (_, origin) in enumerate(lines) if not origin.startswith("lib/"))
    head, body = lines[:own], lines[own:]
    return [*head, ("local function main()", "guard"), *body, *((text, "guard") for text in _GUARD)]


def _compose(name: str, included: set[str]) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for number, text in enumerate((_FOLDER / f"{name}.lua").read_text().splitlines(), 1):
        include = _INCLUDE.match(text)
        if include and f"lib/{include.group(1)}" not in included:
            included.add(f"lib/{include.group(1)}")
            lines.extend(_compose(f"lib/{include.group(1)}", included))
        elif text and not text.lstrip().startswith("--"):
            lines.append((text, f"{name}.lua:{number}"))
    return lines
