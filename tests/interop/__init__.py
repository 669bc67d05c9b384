"""toril and BullMQ for Node on the same queues."""
