"""A private Valkey that runs beside the program: started when needed, shared, stopped by the last user."""

from __future__ import annotations

from toril.embedded.server import EmbeddedServer, ServerStatus, ensure_server, status, stop

__all__ = ["EmbeddedServer", "ServerStatus", "ensure_server", "status", "stop"]
