// The BullMQ that is steered: "bullmq" is version 6, "bullmq5" is version 5.

const library = process.argv[2] ?? "bullmq";

export const {
  FlowProducer,
  Queue,
  QueueEvents,
  QueueEventsProducer,
  RateLimitError,
  UnrecoverableError,
  WaitingChildrenError,
  Worker,
} = await import(library);
