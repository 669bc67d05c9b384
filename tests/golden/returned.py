"""What calls gave back or raised, against what was recorded of them."""

from __future__ import annotations

from typing import Final

from tests.golden.differences import Differences
from tests.golden.matching import Matcher
from tests.golden.tokens import has_token
from tests.golden.values import JSON, as_mapping, is_number, same


class _Unset:
    """Nothing was recorded."""

    def __repr__(self) -> str:
        return "nothing"


UNSET: Final = _Unset()

#: The one error class that all libraries share.
UNRECOVERABLE = "UnrecoverableError"


class ReturnComparison:
    """Compares results; what differs goes to ``differences``."""

    def __init__(self, matcher: Matcher, differences: Differences) -> None:
        self._matcher = matcher
        self._differences = differences

    def compare(self, where: str, expected: JSON | _Unset, actual: JSON) -> None:
        """Compare what a step gave back; errors are objects with the one key ``error``."""
        if isinstance(expected, dict) and "error" in expected:
            self._error(where, as_mapping(expected["error"]), actual)
        elif isinstance(expected, dict) and "errors" in expected and isinstance(actual, dict):
            self._value(where, _errors_counted(expected), _errors_counted(actual))
        elif isinstance(expected, _Unset) or expected is None:
            # Without a record the step gave nothing of interest, but it did not raise.
            if _raised(actual) or (expected is None and actual is not None):
                self._differences.add(where, expected, actual)
        else:
            self._value(where, expected, actual)

    def _error(self, where: str, expected: dict[str, JSON], actual: JSON) -> None:
        """Texts are each library's own; the class counts where it has a meaning, and so does the number."""
        error = _raised(actual)
        if not error:
            self._differences.add(where, {"error": expected}, actual)
        elif expected.get("name") == UNRECOVERABLE and error.get("name") != UNRECOVERABLE:
            self._differences.add(f"{where} class", UNRECOVERABLE, error)
        elif "code" in expected and error.get("code") != expected["code"]:
            self._differences.add(f"{where} code", expected["code"], error)

    def _value(self, where: str, expected: JSON, actual: JSON) -> None:
        if isinstance(expected, dict) and isinstance(actual, dict):
            self._object(where, expected, actual)
        elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
            for index, (want, have) in enumerate(zip(expected, actual, strict=True)):
                self._value(f"{where}[{index}]", want, have)
        elif not self._leaf_fits(expected, actual):
            self._differences.add(where, expected, actual)

    def _object(self, where: str, expected: dict[str, JSON], actual: dict[str, JSON]) -> None:
        left = dict(actual)
        for key, want in expected.items():
            found = key if key in left else self._matcher.first_fit(key, left)
            if found is None:
                self._differences.add(f"{where}.{key}", want, "nothing")
            else:
                self._value(f"{where}.{key}", want, left.pop(found))
        for key, have in left.items():
            if have is not None:
                self._differences.add(f"{where}.{key}", "nothing", have)

    def _leaf_fits(self, expected: JSON, actual: JSON) -> bool:
        if not isinstance(expected, str):
            return same(expected, actual)
        if isinstance(actual, str):
            return self._matcher.text_fits(expected, actual)
        # A token may stand where there is a number.
        if not has_token(expected) or not is_number(actual):
            return False
        return self._matcher.text_fits(expected, _number_text(actual))


def _raised(actual: JSON) -> dict[str, JSON] | None:
    return as_mapping(actual["error"]) if isinstance(actual, dict) and "error" in actual else None


def _errors_counted(result: dict[str, JSON]) -> dict[str, JSON]:
    """Errors that a worker told beside a result are compared by how many there are."""
    errors = result.get("errors", [])
    return result | {"errors": len(errors) if isinstance(errors, list) else errors}


def _number_text(value: JSON) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
