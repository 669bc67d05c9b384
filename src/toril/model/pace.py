"""How many calls to a server may be under way at once."""

from __future__ import annotations

import math

# A call that carries much keeps the server busy for about so many seconds.
_A_CALL = 0.0015
# So many calls that arrive together still hold up others for no longer than they notice.
_MOST = 8


class Pace:
    """As many calls as the way to the server and back has room for: one, unless the server is far away.

    With one call under way at a time, what comes up meanwhile rides in the next one. That makes calls large,
    and a near server is busy all the time. A far one would wait for most of the time.
    """

    def __init__(self) -> None:
        self._quickest = math.inf

    @property
    def room(self) -> int:
        """How many calls may be under way at once."""
        return 1 if self._quickest == math.inf else min(1 + int(self._quickest / _A_CALL), _MOST)

    def took(self, seconds: float) -> None:
        """A call was answered; the quickest one tells how far the server is away, even if it is busy now."""
        if seconds < self._quickest:
            self._quickest = seconds
