"""BullMQ's recorded behaviour, replayed with toril."""
