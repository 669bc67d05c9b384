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

import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import {
  FlowProducer,
  Queue,
  QueueEvents,
  QueueEventsProducer,
  UnrecoverableError,
  WaitingChildrenError,
  Worker,
} from "bullmq";

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

// What lets the jobs go on that wait for the command "release".
const held = [];

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
  hold: () => new Promise((resolve) => held.push(() => resolve("held by node"))),
  hang: () => new Promise(() => {}),
  // The worker that starts it first never ends it.
  "hang-first": async (job) => (job.attemptsStarted === 1 ? processors.hang() : "finished by node"),
  gather: (job) => job.getChildrenValues(),
  // Its only child is one that it adds itself, into another queue.
  spawn: async (job, token) => {
    const values = Object.values(await job.getChildrenValues());
    if (values.length) return values;
    const parent = { id: job.id, queue: job.queueQualifiedName };
    // Late enough to be waited for.
    await queueOf(job.data.queue).add("echo", "from node", { parent, delay: 200 });
    if (await job.moveToWaitingChildren(token)) throw new WaitingChildrenError();
    throw new Error("there was no child to wait for");
  },
};

// The options that all has in common that is opened between "begin" and "leave", and all that was opened.
let base;
const opened = new Map();

function begin({ path, prefix }) {
  base = { connection: { path, maxRetriesPerRequest: null }, prefix };
}

async function leave() {
  const all = [...opened.values()];
  base = undefined;
  opened.clear();
  held.length = 0;
  // Jobs that hang are not waited for.
  await Promise.all(all.map((it) => (it instanceof Worker ? it.close(true) : it.close())));
}

function open(key, make) {
  if (!opened.has(key)) opened.set(key, make());
  return opened.get(key);
}

const queueOf = (name) => open(`queue ${name}`, () => new Queue(name, base));
const producerOf = (name) => open(`producer ${name}`, () => new QueueEventsProducer(name, base));
const flowProducer = () => open("flows", () => new FlowProducer(base));

function tell(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

// A function that tells of one queue, as long as nobody has left.
function reporter(from, queue) {
  const mine = base;
  return (event, more) => {
    if (base === mine) tell({ from, queue, event, ...more });
  };
}

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

async function eventsOf(name) {
  const events = open(`events ${name}`, () => listen(name));
  await events.waitUntilReady();
  return events;
}

async function run(job, token) {
  if (!(job.name in processors)) throw new UnrecoverableError(`no job is called ${job.name}`);
  return processors[job.name](job, token);
}

async function startWorker({ queue, options }) {
  const report = reporter("worker", queue);
  // Looking by itself now and then would hide that a worker was not woken.
  const worker = open(`worker ${opened.size}`, () => new Worker(queue, run, { ...base, drainDelay: 60, ...options }));
  worker.on("active", (job) => report("active", { jobId: job.id }));
  worker.on("completed", (job, value) => report("completed", { jobId: job.id, value }));
  worker.on("failed", (job, error) => report("failed", { jobId: job?.id, error: error.message }));
  worker.on("stalled", (jobId) => report("stalled", { jobId }));
  worker.on("error", (error) => report("error", { error: error.message }));
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
  addFlow: async ({ flow }) => idsOf(await flowProducer().add(flow)),
  getJob: async (job) => describe(await jobOf(job)),
  retry: async (job) => (await jobOf(job)).retry(),
  updateProgress: async (job) => (await jobOf(job)).updateProgress(job.progress),
  ignoredFailures: async (job) => (await jobOf(job)).getIgnoredChildrenFailures(),
  dependencies: async (job) => (await jobOf(job)).getDependenciesCount(),
  waitUntilFinished: async ({ queue, jobId, ttl }) =>
    (await jobOf({ queue, jobId })).waitUntilFinished(await eventsOf(queue), ttl),
  counts: ({ queue }) => queueOf(queue).getJobCounts(),
  getWorkers: ({ queue }) => queueOf(queue).getWorkers(),
  getQueueEvents: ({ queue }) => queueOf(queue).getQueueEvents(),
  getJobs: async ({ queue, states, start, end, asc }) =>
    (await queueOf(queue).getJobs(states, start, end, asc)).map((job) => job.id),
  getRanges: ({ queue, states, start, end, asc }) => queueOf(queue).getRanges(states, start, end, asc),
  getDelayedCount: ({ queue, before }) => queueOf(queue).getDelayedCount(before),
  getDependencies: async ({ queue, jobId, kind }) => {
    const { items, jobs, total } = await queueOf(queue).getDependencies(jobId, kind, 0, -1);
    return { items, names: jobs.map((job) => job.name), total };
  },
  getMeta: ({ queue }) => queueOf(queue).getMeta(),
  exportPrometheusMetrics: ({ queue, labels }) => queueOf(queue).exportPrometheusMetrics(labels),
  pause: ({ queue }) => queueOf(queue).pause(),
  resume: ({ queue }) => queueOf(queue).resume(),
  setGlobalConcurrency: ({ queue, concurrency }) => queueOf(queue).setGlobalConcurrency(concurrency),
  setGlobalRateLimit: ({ queue, max, duration }) => queueOf(queue).setGlobalRateLimit(max, duration),
  getMetrics: ({ queue, state }) => queueOf(queue).getMetrics(state),
  isPaused: ({ queue }) => queueOf(queue).isPaused(),
  worker: startWorker,
  events: async ({ queue }) => void (await eventsOf(queue)),
  publish: async ({ queue, event, maxEvents }) => producerOf(queue).publishEvent(event, maxEvents),
  countQueueEvents: async ({ queue }) => (await queueOf(queue).getQueueEvents()).length,
  release: () => held.splice(0).forEach((goOn) => goOn()),
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
