"""Reads a flame graph that py-spy has drawn, so that it can be read without a picture, too."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

from benchmarks.process import MeasureError

_FRAME = re.compile(
    r"<title>(?P<name>.*?) \((?P<samples>[\d,]+) samples?, [\d.]+%\)</title>"
    r'<rect [^>]*?\by="(?P<y>\d+)"[^>]*?fg:x="(?P<x>\d+)" fg:w="(?P<width>\d+)"'
)
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&"))


def own_samples(drawing: str) -> Counter[str]:
    """How many samples each line of code was on top in, with what it calls left out.

    Args:
        drawing: The SVG.
    """
    frames = [
        (int(found["y"]), int(found["x"]), int(found["width"]), found["name"])
        for found in _FRAME.finditer(drawing)
    ]
    rows = sorted({y for y, _, _, _ in frames})
    # What a frame calls is drawn in the next row, above or below it; the row of all has one frame.
    whole = max((width for _, _, width, _ in frames), default=0)
    if rows and (rows[0], 0, whole) not in {(y, x, width) for y, x, width, _ in frames}:
        rows.reverse()
    following = dict(pairwise(rows))
    own: Counter[str] = Counter()
    for y, x, width, name in frames:
        called = sum(w for row, place, w, _ in frames if row == following.get(y) and x <= place < x + width)
        if width > called:
            own[_plain(name)] += width - called
    return own


def _plain(text: str) -> str:
    for entity, letter in _ENTITIES:
        text = text.replace(entity, letter)
    return text


def table_of(picture: Path) -> None:
    """Write the table of a flame graph beside it.

    Raises:
        MeasureError: There is no such picture.
    """
    if not picture.exists():
        raise MeasureError("py-spy drew nothing")
    picture.with_suffix(".txt").write_text("\n".join(hottest(picture.read_text())) + "\n")


def hottest(drawing: str, most: int = 40) -> list[str]:
    """The lines of code that take the most time by themselves, with their share, as a table."""
    own = own_samples(drawing)
    total = own.total() or 1
    rows = [f"{samples / total:7.1%} {samples:7}  {name}" for name, samples in own.most_common(most)]
    return [f"{'share':>7} {'samples':>7}  line", *rows]
