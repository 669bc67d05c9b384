"""Telling requests of toril apart on their way to the server."""

from __future__ import annotations

from collections.abc import Callable

from toril.store.redis.script import script


def runs(name: str) -> Callable[[bytes], bool]:
    """Whether a request runs the script of this name, by its digest or by its text."""
    marks = (script(name).digest.encode(), script(name).source[:300].encode())
    return lambda request: any(mark in request for mark in marks)
