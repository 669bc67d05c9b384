"""What somebody may have meant by a name that nobody knows."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one; ``None`` if none is."""
    # Loaded here: it is needed only when something is wrong already.
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return near[0] if near else None


def hint(name: str, known: Collection[str]) -> str:
    """The nearest name as a question, or else all that are known."""
    near = nearest(name, known)
    return f"did you mean {near!r}?" if near is not None else f"known are {', '.join(known)}"
