"""Sharing the slots of a worker between its queues: how the free ones are dealt.

A queue's share goes by its weight among the queues that have work. What a queue does not use, the others do:
no slot stays free as long as one of them wants it. Shares count slots that are taken, so a queue of long jobs
gets no more of them than one of short jobs. Shares are no whole numbers: the slots that are left when each
queue has its whole ones go from queue to queue in turn.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Literal

import msgspec

#: How queues share slots: by their weights, or the earlier ones first.
Policy = Literal["weighted", "strict"]

# Shares are sums of floats: what is nearer than this to a whole number is meant to be one.
_NEAR = 1e-6


class Want(msgspec.Struct):
    """What a queue has of the slots, and would like to have.

    Attributes:
        weight: Its part, in proportion to the weights of others.
        used: Slots that run its jobs, or are kept for jobs it was asked for.
        more: How many more it surely wants; 0 if it has no work, as far as is known. Who wants any takes
            what nobody else wants, too.
        turn: Who has the lowest gets the next slot that does not divide.
    """

    weight: float
    used: int
    more: int
    turn: float = 0.0


class Grant(msgspec.Struct):
    """So many free slots are for this queue; ``fare`` is what the one that does not divide costs it."""

    slots: int = 0
    fare: float = 0.0


def deal_by_weight(free: int, wants: Sequence[Want]) -> list[Grant]:
    """Deal free slots so that shares come as near to the weights as what is taken already lets them."""
    total = free + sum(want.used for want in wants)
    demands = [want.used + want.more for want in wants]
    if sum(demands) < total:
        # There is enough for all that is known to be wanted: whoever wants any may find more.
        demands = [total if want.more else want.used for want in wants]
    quotas = _quotas(total, demands, [want.weight for want in wants])
    grants = [Grant() for _ in wants]
    left = _deal_whole(free, wants, quotas, grants)
    _deal_rest(left, wants, quotas, grants)
    return grants


def _quotas(total: int, demands: Sequence[int], weights: Sequence[float]) -> list[float]:
    """Shares by weight. Who wants less than its share has what it wants, and the others share the rest."""
    order = sorted(range(len(demands)), key=lambda i: demands[i] / weights[i])
    quotas = [0.0] * len(demands)
    # Weights of the queues from here on, added up from the end: taking one away after the other would round.
    sums = list(accumulate(weights[i] for i in reversed(order)))
    left = float(total)
    for i in order:
        quotas[i] = min(float(demands[i]), left * weights[i] / sums.pop())
        left -= quotas[i]
    return quotas


def _whole(quota: float) -> int:
    return int(quota + _NEAR)


def _deal_whole(free: int, wants: Sequence[Want], quotas: Sequence[float], grants: Sequence[Grant]) -> int:
    """Whole slots that are missing, to the one that lacks most first; answers how many are left."""
    lacking = [
        (want.used / want.weight, want.turn, i)
        for i, want in enumerate(wants)
        if want.more and want.used < _whole(quotas[i])
    ]
    heapq.heapify(lacking)
    while free and lacking:
        _, turn, i = lacking[0]
        grants[i].slots += 1
        free -= 1
        has = wants[i].used + grants[i].slots
        if has < _whole(quotas[i]):
            heapq.heapreplace(lacking, (has / wants[i].weight, turn, i))
        else:
            heapq.heappop(lacking)
    return free


def _deal_rest(free: int, wants: Sequence[Want], quotas: Sequence[float], grants: Sequence[Grant]) -> None:
    """Slots that don't divide, one each, in turn, to those who have a part of one and not the whole yet."""
    parts = [quota - _whole(quota) for quota in quotas]
    entitled = [
        i
        for i, want in enumerate(wants)
        if want.more and parts[i] > _NEAR and want.used + grants[i].slots == _whole(quotas[i])
    ]
    entitled.sort(key=lambda i: wants[i].turn)
    for i in entitled[:free]:
        grants[i].slots += 1
        grants[i].fare = 1 / parts[i]


def deal_in_order(free: int, wants: Sequence[Want]) -> list[Grant]:
    """Deal free slots to the first queue that wants any, then to the next one."""
    grants: list[Grant] = []
    left = free
    for want in wants:
        grants.append(Grant(min(left, want.more)))
        left -= grants[-1].slots
    for want, grant in zip(wants, grants, strict=True):
        if want.more:
            grant.slots += left
            break
    return grants


#: Deals free slots.
Deal = Callable[[int, Sequence[Want]], list[Grant]]

DEALS: dict[Policy, Deal] = {"weighted": deal_by_weight, "strict": deal_in_order}
