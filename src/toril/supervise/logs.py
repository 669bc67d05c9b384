"""Logs on stderr, as lines for people or for programs."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

# What each record has; all else was given as `extra`.
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def set_up_logs(level: str, form: Literal["text", "json"], process: int | None) -> None:
    """Log to stderr.

    Args:
        level: The least level that is logged.
        form: ``text`` or ``json``.
        process: Number of this process, told in each line; ``None`` for the only one.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process) if form == "json" else TextFormatter(process))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def extras_of(record: logging.LogRecord) -> dict[str, Any]:
    """What was given as ``extra``."""
    return {name: value for name, value in record.__dict__.items() if name not in _OWN}


class TextFormatter(logging.Formatter):
    """A line for people."""

    def __init__(self, process: int | None) -> None:
        super().__init__()
        self._prefix = "" if process is None else f"[{process}] "

    def format(self, record: logging.LogRecord) -> str:
        """The line; a traceback follows it."""
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S.%f")[:-3]
        facts = "".join(f" {name}={value}" for name, value in extras_of(record).items())
        line = f"{self._prefix}{at} {record.levelname.lower():8}{record.name}: {record.getMessage()}{facts}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """A JSON document in one line."""

    def __init__(self, process: int | None) -> None:
        super().__init__()
        self._facts: dict[str, Any] = {} if process is None else {"process": process}

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._facts,
            **extras_of(record),
        }
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(told, enc_hook=str).decode()
