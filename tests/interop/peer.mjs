// BullMQ for Node, steered by tests: one JSON command a line comes in, one JSON answer a line goes out,
// and between the answers there are notes of what happens.
//
//   -> {"id": 0, "do": "begin", "path": "/the/socket/of/the/server", "prefix": "bull"}
//   -> {"id": 1, "do": "add", "queue": "work", "name": "echo", "data": {}, "opts": {}}
//   <- {"id": 1, "value": {"id": "1", "name": "echo", ...}}          or {"id": 1, "error": "what went wrong"}
//   <- {"from": "worker", "queue": "work", "event": "completed", "jobId": "1", "value": {}}
//   <- {"from": "events", "queue": "work", "event": "completed", "jobId": "1", "args": {...}}
//
// "leave" closes all that was opened since "begin", which may then come again. It ends when its input ends.
// Its argument is the package that it steers: see node_peer/library.mjs.

import { createInterface } from "node:readline";
import { flows } from "./node_peer/flows.mjs";
import { eventsOf, startWorker } from "./node_peer/listening.mjs";
import { begin, closeWorkers, held, jobOf, leave, producerOf, queueOf, tell } from "./node_peer/opened.mjs";
import { queues } from "./node_peer/queues.mjs";
import { reading } from "./node_peer/reading.mjs";

async function describe(job) {
  if (!job) return null;
  const { id, name, data, opts, progress, returnvalue, failedReason, stacktrace, timestamp, delay, priority } = job;
  const { attemptsMade, attemptsStarted, stalledCounter, processedOn, finishedOn, processedBy } = job;
  const { parent, parentKey, deduplicationId, repeatJobKey } = job;
  const [state, logs] = await Promise.all([job.getState(), queueOf(job.queueName).getJobLogs(id)]);
  return {
    ...{ id, name, data, opts, progress, returnvalue, failedReason, timestamp, delay, priority },
    ...{ attemptsMade, attemptsStarted, stalledCounter, processedOn, finishedOn, processedBy },
    ...{ parent, parentKey, deduplicationId, repeatJobKey },
    ...{ state, logs: logs.logs, stacktraceLength: stacktrace?.length ?? 0 },
  };
}

const commands = {
  add: async ({ queue, name, data, opts }) => describe(await queueOf(queue).add(name, data, opts)),
  addBulk: async ({ queue, jobs }) => (await queueOf(queue).addBulk(jobs)).map((job) => job.id),
  getJob: async (job) => describe(await jobOf(job)),
  retry: async (job) => (await jobOf(job)).retry(),
  promote: async (job) => (await jobOf(job)).promote(),
  remove: async ({ queue, jobId }) => queueOf(queue).remove(jobId),
  updateProgress: async (job) => (await jobOf(job)).updateProgress(job.progress),
  waitUntilFinished: async ({ queue, jobId, ttl }) =>
    (await jobOf({ queue, jobId })).waitUntilFinished(await eventsOf(queue), ttl),
  worker: startWorker,
  closeWorkers,
  events: async ({ queue }) => void (await eventsOf(queue)),
  publish: async ({ queue, event, maxEvents }) => producerOf(queue).publishEvent(event, maxEvents),
  release: () => held.splice(0).forEach((goOn) => goOn()),
  ...queues,
  ...reading,
  ...flows,
  begin,
  leave,
};

async function answer({ id, do: command, ...rest }) {
  try {
    if (!(command in commands)) throw new Error(`there is no command ${command}`);
    tell({ id, value: (await commands[command](rest)) ?? null });
  } catch (error) {
    tell({ id, error: error.message });
  }
}

const input = createInterface({ input: process.stdin });
input.on("line", (line) => void answer(JSON.parse(line)));
input.on("close", () => process.exit());
