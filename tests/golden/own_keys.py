"""toril's one kind of key that BullMQ does not know: receipts of adds.

Why they are there is told in docs/decisions/0004-add-receipts.md.
"""

from __future__ import annotations

import re

from tests.golden.stored import Database, StoredKey

_RECEIPT = re.compile(r".+:toril:sent:[0-9a-f]{32}")
_RECEIPT_MS = 60_000


def without_receipts(database: Database) -> Database:
    """The database as it is compared: all keys but receipts.

    What is not just like a receipt stays, and is found to be a key too many.
    """
    return {key: stored for key, stored in database.items() if not _is_receipt(key, stored)}


def _is_receipt(key: str, stored: StoredKey) -> bool:
    if _RECEIPT.fullmatch(key) is None or stored.type != "string":
        return False
    return 0 < stored.pttl_ms <= _RECEIPT_MS
