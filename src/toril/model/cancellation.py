"""What cancelling a job has come to."""

from __future__ import annotations

from enum import StrEnum


class Cancellation(StrEnum):
    """What became of a job that was to be cancelled.

    Attributes:
        note: The same in a sentence.
    """

    CANCELLED = "cancelled"
    """It waited; now it has failed with the reason ``cancelled``."""

    CANCELLING = "cancelling"
    """It runs; its worker was told, and fails it as soon as its handler ends."""

    UNREACHABLE = "unreachable"
    """It runs where nobody can be told, and goes on; unless it completes, it fails and isn't run again."""

    FINISHED = "finished"
    """It had completed or failed before; nothing was changed."""

    @property
    def note(self) -> str:
        """What this means, in a sentence."""
        return _NOTES[self]


_NOTES = {
    Cancellation.CANCELLED: "the job was waiting and has failed now",
    Cancellation.CANCELLING: "the job is running and its worker was told to end it",
    Cancellation.UNREACHABLE: (
        "the job is running where it can't be interrupted (by a Node worker, by hand, or by a worker that is "
        "gone); unless it completes, it fails and is not run again"
    ),
    Cancellation.FINISHED: "the job had finished before",
}
