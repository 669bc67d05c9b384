"""All kinds of steps, in groups: a story has some of the groups."""

from __future__ import annotations

from collections.abc import Mapping

from tests.fuzz.makers_change import CHANGING, EXPIRING, REMOVING, SCHEDULING, STALLING, STEERING, VANISHING
from tests.fuzz.makers_look import FAMILY, LOOKING
from tests.fuzz.makers_queue import CLEARING, FREEING, LIMITING, ORPHANS, SURVEYING, UNTYING
from tests.fuzz.makers_work import ADDING, FLOWS, WORKING
from tests.fuzz.narrator import Maker

#: How often each kind of step comes, within its group.
MAKERS: Mapping[str, Mapping[Maker, int]] = {
    "adding": ADDING,
    "working": WORKING,
    "flows": FLOWS,
    "changing": CHANGING,
    "steering": STEERING,
    "removing": REMOVING,
    "stalling": STALLING,
    "expiring": EXPIRING,
    "vanishing": VANISHING,
    "scheduling": SCHEDULING,
    "limiting": LIMITING,
    "clearing": CLEARING,
    "orphans": ORPHANS,
    "untying": UNTYING,
    "freeing": FREEING,
    "surveying": SURVEYING,
    "looking": LOOKING,
    "family": FAMILY,
}
