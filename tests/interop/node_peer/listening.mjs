// Workers and listeners of events, and what they tell.

import { run } from "./processors.mjs";
import { QueueEvents, Worker } from "./library.mjs";
import { base, newKey, open, reporter } from "./opened.mjs";

// All that QueueEvents tells of a queue, and one event of the user's own.
const EVENTS = [
  "active",
  "added",
  "cleaned",
  "completed",
  "deduplicated",
  "delayed",
  "drained",
  "duplicated",
  "failed",
  "greet",
  "paused",
  "progress",
  "removed",
  "resumed",
  "retries-exhausted",
  "stalled",
  "waiting",
  "waiting-children",
];

function listen(queue) {
  const report = reporter("events", queue);
  // From the first entry on, so that nothing is missed while it starts.
  const events = new QueueEvents(queue, { ...base, lastEventId: "0-0" });
  for (const event of EVENTS) {
    // "drained" has nothing to say: its listeners get the id of the entry alone.
    events.on(event, (told) => report(event, { jobId: told.jobId, args: typeof told === "object" ? told : {} }));
  }
  events.on("error", (error) => report("error", { error: error.message }));
  return events;
}

export async function eventsOf(name) {
  const events = open(`events ${name}`, () => listen(name));
  await events.waitUntilReady();
  return events;
}

export async function startWorker({ queue, options }) {
  const report = reporter("worker", queue);
  // Looking by itself now and then would hide that a worker was not woken.
  const worker = open(newKey("worker"), () => new Worker(queue, run, { ...base, drainDelay: 60, ...options }));
  worker.on("active", (job) => report("active", { jobId: job.id }));
  worker.on("completed", (job, value) => report("completed", { jobId: job.id, value }));
  worker.on("failed", (job, error) => report("failed", { jobId: job?.id, error: error.message }));
  worker.on("stalled", (jobId) => report("stalled", { jobId }));
  worker.on("error", (error) => report("error", { error: error.message }));
  await worker.waitUntilReady();
}
