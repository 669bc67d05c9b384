"""JSON values that go from one side to the other and back."""

from __future__ import annotations

from typing import Any

PAYLOADS: list[Any] = [
    {"text": "grüße, 日本, 🦉", "nested": {"list": [1, 2.5, -3, [], {}]}, "none": None, "flag": True},
    [],
    'text with "quotes", \\ and \n',
    0,
    None,
    False,
    1e-7,
    9007199254740991,
    {"long": "x" * 100_000},
]
