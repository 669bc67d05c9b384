"""URLs as they are shown: without passwords."""

from __future__ import annotations

import pytest

from toril import Worker
from toril.store.opening import without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("rediss://user:secret@db.example:6380/2", "rediss://user@db.example:6380/2"),
        ("redis://:se:cr@et@db.example", "redis://@db.example"),
        ("redis+sentinel://u:secret@a:1,b:2/main?db=1", "redis+sentinel://u@a:1,b:2/main?db=1"),
        ("unix:///run/valkey.sock?db=0&password=secret", "unix:///run/valkey.sock?db=0"),
        ("unix:///run/valkey.sock?password=secret&db=0", "unix:///run/valkey.sock?db=0"),
        ("embedded:.toril", "embedded:.toril"),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
    assert Worker("mail", url=url).server == shown
