"""Values and decisions: no I/O, no asyncio, no clock."""
