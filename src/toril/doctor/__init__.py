"""What may be wrong with queues and their server: found by looking, told with what to do about it."""

from toril.doctor.checks import examine
from toril.doctor.findings import Finding
from toril.doctor.repair import repair
from toril.doctor.snapshot import QueueSnapshot, Snapshot, look

__all__ = ["Finding", "QueueSnapshot", "Snapshot", "examine", "look", "repair"]
