"""How many calls may be under way at once."""

from __future__ import annotations

import pytest

from toril.model.pace import Pace


def test_two_calls_as_long_as_the_way_is_not_known() -> None:
    assert Pace().room == 2


@pytest.mark.parametrize(
    ("seconds", "room"), [(0.0, 2), (0.001, 2), (0.002, 3), (0.007, 6), (0.02, 8), (3, 8)]
)
def test_a_far_server_has_room_for_more(seconds: float, room: int) -> None:
    pace = Pace()
    pace.took(seconds)

    assert pace.room == room
    assert pace.is_near == (room == 2)


def test_the_quickest_call_counts_however_busy_the_server_is() -> None:
    pace = Pace()
    for seconds in (0.5, 0.0005, 0.5):
        pace.took(seconds)

    assert pace.room == 2
