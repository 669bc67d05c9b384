"""The slots of a worker, as its feeders draw on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from toril.core.worker.calls import MOST_A_CALL
from toril.core.worker.fair import DEALS, Grant, Policy, Want

# Jobs that begin in so many parts end in so many. Smaller ones cost more than they bring, and of more slots a
# whole call is a small part as well.
_PARTS, _LEAST_PART, _MOST_IN_PARTS = 8, 10, 4 * MOST_A_CALL


class Eater(Protocol):
    """A feeder, as far as the pool is concerned.

    Attributes:
        held: Slots that have a job of it.
        asked: Slots that are kept for jobs it asks for at this moment.
        appetite: How many jobs it may well find when it asks.
    """

    held: int
    asked: int
    appetite: int

    @property
    def hungry(self) -> bool:
        """Whether it would take jobs, and may find some."""
        ...

    def look(self) -> None:
        """There may be slots for it now."""
        ...


class _Member(msgspec.Struct):
    eater: Eater
    weight: float
    turn: float = 0.0
    grant: Grant = msgspec.field(default_factory=Grant)


class Pool:
    """Says how many jobs each feeder may take. A feeder that is alone may have all slots.

    Attributes:
        slots: How many there are; whoever changes it lets the feeders look.
        share: Jobs in a call: two halves of the slots alternate, one runs while the other is settled.
        part: Jobs in a call while most slots wait in their handlers.
        shared: Whether there are several feeders. If not, what is told of jobs and changes means nothing.
    """

    def __init__(self, slots: int, policy: Policy) -> None:
        self.slots = slots
        self.shared: bool = False
        self._deal = DEALS[policy]
        self._members: list[_Member] = []
        # The turn that was served last: who comes back after a while begins here, and has saved up nothing.
        self._now = 0.0

    @property
    def slots(self) -> int:
        return self._slots

    @slots.setter
    def slots(self, slots: int) -> None:
        self._slots = slots
        self.share: int = min(MOST_A_CALL, (slots + 1) // 2)
        self.part: int = max(slots // _PARTS, _LEAST_PART) if slots <= _MOST_IN_PARTS else self.share

    def join(self, eater: Eater, weight: float) -> None:
        """One more feeder draws on the slots."""
        self.shared = bool(self._members)
        self._members.append(_Member(eater, weight))

    @property
    def busy(self) -> int:
        """Slots that have a job."""
        return sum(member.eater.held for member in self._members)

    def _free(self) -> int:
        return self.slots - sum(member.eater.held + member.eater.asked for member in self._members)

    def room(self, eater: Eater) -> int:
        """How many more jobs it may ask for now."""
        if not self.shared:
            return max(self.slots - eater.held - eater.asked, 0)
        room = 0
        for member, grant in self._granted():
            if member.eater is eater:
                member.grant, room = grant, grant.slots
        return room

    def _granted(self) -> Iterable[tuple[_Member, Grant]]:
        free = self._free()
        if free <= 0:
            return ()
        wants = [self._want(member) for member in self._members]
        return zip(self._members, self._deal(free, wants), strict=True)

    def _want(self, member: _Member) -> Want:
        eater = member.eater
        more = max(eater.appetite - eater.asked, 0) if eater.hungry else 0
        return Want(member.weight, eater.held + eater.asked, more, max(member.turn, self._now))

    def asks(self, eater: Eater, count: int) -> None:
        """It asks for so many jobs; one that does not divide it pays for with its turn."""
        member = self._member(eater)
        grant = member.grant
        if grant.fare and count == grant.slots:
            self._now = max(self._now, member.turn)
            member.turn = self._now + grant.fare

    def missed(self, eater: Eater) -> None:
        """It did not get all it asked for: it has paid for nothing, and others may have the slots."""
        self._member(eater).turn = self._now
        self.changed()

    def _member(self, eater: Eater) -> _Member:
        return next(member for member in self._members if member.eater is eater)

    def changed(self) -> None:
        """Slots are free now, or a feeder does not want any more: whoever may have them shall know."""
        for member, grant in self._granted():
            if grant.slots:
                member.eater.look()
