// BullMQ for Node, steered by tests: one JSON command a line comes in, one JSON answer a line goes out,
// and between the answers there are notes of what happens.
//
//   node peer.mjs <path of the server's socket> <prefix>
//
//   -> {"id": 1, "do": "add", "queue": "work", "name": "echo", "data": {}, "opts": {}}
//   <- {"id": 1, "value": {"id": "1", "name": "echo", ...}}          or {"id": 1, "error": "what went wrong"}
//   <- {"from": "worker", "queue": "work", "event": "completed", "jobId": "1", "value": {}}
//   <- {"from": "events", "queue": "work", "event": "completed", "jobId": "1", "args": {...}}
//
// It ends at the command "close", and when its input ends.

import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import {
  FlowProducer,
  Queue,
  QueueEvents,
  UnrecoverableError,
  WaitingChildrenError,
  Worker,
} from "bullmq";

const [socketPath, prefix] = process.argv.slice(2);
const base = { connection: { path: socketPath, maxRetriesPerRequest: null }, prefix };

// All that QueueEvents tells of a queue, but for events of the user's own.
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
  "paused",
  "progress",
  "removed",
  "resumed",
  "retries-exhausted",
  "stalled",
  "waiting",
  "waiting-children",
];

// What a job does follows from its name; scripted.py holds the same for toril.
const processors = {
  echo: async (job) => job.data,
  slow: async (job) => {
    await wait(job.data.ms);
    return "node";
  },
  fail: async (job) => {
    if (job.attemptsMade < job.data.times) throw new Error(`failure ${job.attemptsMade + 1} in node`);
    return job.attemptsMade + 1;
  },
  "give-up": async () => {
    throw new UnrecoverableError("hopeless in node");
  },
  report: async (job) => {
    for (const row of job.data.rows) await job.log(row);
    for (const step of job.data.progress) await job.updateProgress(step);
    return "reported by node";
  },
  hang: () => new Promise(() => {}),
  // The worker that starts it first never ends it.
  "hang-first": async (job) => (job.attemptsStarted === 1 ? processors.hang() : "finished by node"),
  gather: (job) => job.getChildrenValues(),
  // Its only child is one that it adds itself, into another queue.
  spawn: async (job, token) => {
    const values = Object.values(await job.getChildrenValues());
    if (values.length) return values;
    const parent = { id: job.id, queue: job.queueQualifiedName };
    await queueOf(job.data.queue).add("echo", "from node", { parent });
    if (await job.moveToWaitingChildren(token)) throw new WaitingChildrenError();
    throw new Error("there was no child to wait for");
  },
};

const queues = new Map();
const listeners = new Map();
const workers = [];
let flows;

function queueOf(name) {
  if (!queues.has(name)) queues.set(name, new Queue(name, base));
  return queues.get(name);
}

async function eventsOf(name) {
  if (!listeners.has(name)) {
    // From the first entry on, so that nothing is missed while it starts.
    const events = new QueueEvents(name, { ...base, lastEventId: "0-0" });
    listeners.set(name, events);
    for (const event of EVENTS) {
      events.on(event, (args) => tell({ from: "events", queue: name, event, jobId: args.jobId, args }));
    }
    events.on("error", (error) => tell({ from: "events", queue: name, event: "error", error: error.message }));
    await events.waitUntilReady();
  }
  return listeners.get(name);
}

function tell(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function startWorker(name, options) {
  const run = (job, token) => {
    if (!(job.name in processors)) throw new UnrecoverableError(`no job is called ${job.name}`);
    return processors[job.name](job, token);
  };
  const worker = new Worker(name, run, { ...base, drainDelay: 1, ...options });
  const note = (event, jobId, more) => tell({ from: "worker", queue: name, event, jobId, ...more });
  worker.on("active", (job) => note("active", job.id));
  worker.on("completed", (job, value) => note("completed", job.id, { value }));
  worker.on("failed", (job, error) => note("failed", job?.id, { error: error.message }));
  worker.on("stalled", (jobId) => note("stalled", jobId));
  worker.on("error", (error) => note("error", undefined, { error: error.message }));
  workers.push(worker);
  await worker.waitUntilReady();
}

async function describe(job) {
  if (!job) return null;
  const { id, name, data, opts, progress, returnvalue, failedReason, stacktrace, timestamp, delay, priority } = job;
  const { attemptsMade, attemptsStarted, stalledCounter, processedOn, finishedOn, processedBy } = job;
  const { parent, parentKey, deduplicationId } = job;
  const [state, logs] = await Promise.all([job.getState(), job.queue.getJobLogs(id)]);
  return {
    ...{ id, name, data, opts, progress, returnvalue, failedReason, timestamp, delay, priority },
    ...{ attemptsMade, attemptsStarted, stalledCounter, processedOn, finishedOn, processedBy },
    ...{ parent, parentKey, deduplicationId },
    ...{ state, logs: logs.logs, stacktraceLength: stacktrace?.length ?? 0 },
  };
}

// A tree of jobs as a tree of their ids.
function idsOf(node) {
  return { id: node.job.id, children: (node.children ?? []).map(idsOf) };
}

const jobOf = ({ queue, jobId }) => queueOf(queue).getJob(jobId);

const commands = {
  add: async ({ queue, name, data, opts }) => describe(await queueOf(queue).add(name, data, opts)),
  addBulk: async ({ queue, jobs }) => (await queueOf(queue).addBulk(jobs)).map((job) => job.id),
  addFlow: async ({ flow }) => {
    flows ??= new FlowProducer(base);
    return idsOf(await flows.add(flow));
  },
  getJob: async (job) => describe(await jobOf(job)),
  retry: async (job) => (await jobOf(job)).retry(),
  updateProgress: async (job) => (await jobOf(job)).updateProgress(job.progress),
  ignoredFailures: async (job) => (await jobOf(job)).getIgnoredChildrenFailures(),
  dependencies: async (job) => (await jobOf(job)).getDependenciesCount(),
  waitUntilFinished: async ({ queue, jobId, ttl }) =>
    (await jobOf({ queue, jobId })).waitUntilFinished(await eventsOf(queue), ttl),
  counts: ({ queue }) => queueOf(queue).getJobCounts(),
  getWorkers: ({ queue }) => queueOf(queue).getWorkers(),
  pause: ({ queue }) => queueOf(queue).pause(),
  resume: ({ queue }) => queueOf(queue).resume(),
  isPaused: ({ queue }) => queueOf(queue).isPaused(),
  worker: ({ queue, options }) => startWorker(queue, options),
  events: async ({ queue }) => void (await eventsOf(queue)),
  close: async ({ force }) => {
    await Promise.all(workers.map((worker) => worker.close(force)));
    await Promise.all([...listeners.values(), ...queues.values(), ...(flows ? [flows] : [])].map((it) => it.close()));
  },
};

async function answer({ id, do: command, ...rest }) {
  try {
    if (!(command in commands)) throw new Error(`there is no command ${command}`);
    tell({ id, value: (await commands[command](rest)) ?? null });
  } catch (error) {
    tell({ id, error: error.message });
  }
  if (command === "close") process.exit();
}

const input = createInterface({ input: process.stdin });
input.on("line", (line) => void answer(JSON.parse(line)));
input.on("close", () => process.exit());
