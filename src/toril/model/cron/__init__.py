"""When a cron line fires next, with the answers that BullMQ gives."""

from toril.model.cron.line import Cron

__all__ = ["Cron"]
