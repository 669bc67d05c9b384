"""How many calls to a server may be under way at once."""

from __future__ import annotations

import math

# A call that carries much keeps the server busy for about so many seconds.
_A_CALL = 0.0015
# A near server is busy all the time with so many.
_FEWEST = 2
# So many calls that arrive together still hold up others for no longer than they notice.
_MOST = 8


class Pace:
    """As many calls as the way to the server and back has room for: two, unless the server is far away.

    With two, the server works on one while the answer to the other is used. With more, those in between would
    only wait there, unless it takes long to get there.
    """

    def __init__(self) -> None:
        self._quickest = math.inf

    @property
    def room(self) -> int:
        """How many calls may be under way at once."""
        return _FEWEST if self._quickest == math.inf else min(_FEWEST + int(self._quickest / _A_CALL), _MOST)

    @property
    def is_near(self) -> bool:
        """Whether the way to the server and back takes less than the server does."""
        return self.room == _FEWEST

    def took(self, seconds: float) -> None:
        """A call was answered; the quickest one tells how far the server is away, even if it is busy now."""
        if seconds < self._quickest:
            self._quickest = seconds
