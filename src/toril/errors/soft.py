"""What a handler is told before its time is up; apart from the others, since it needs asyncio."""

from __future__ import annotations

from asyncio import CancelledError


class SoftTimeout(CancelledError):
    """The handler runs longer than its ``soft_timeout``; raised inside it, where it may be caught.

    It is a kind of ``asyncio.CancelledError``: task groups and whatever else is made to be cancelled treat
    it rightly, and ``except Exception`` does not swallow it. What it lets through fails the attempt.
    """

    # Where users import it from, as with all others.
    __module__ = "toril.errors"
