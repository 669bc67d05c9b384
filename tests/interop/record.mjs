// Records what BullMQ does: runs the steps of scenarios and writes down what it gave back and left behind.
//
//   node record.mjs SOCKET FILE     empties the database of the server at SOCKET, again and again
//
// FILE is of the form that tests/golden replays; its scenarios need their set-up and their steps, all else is
// filled in. The clock stands still during a step and goes on by 1 ms from step to step.

import { readFileSync, writeFileSync } from "node:fs";
import IORedis from "ioredis";
import { FlowProducer, Job, Queue, Worker } from "bullmq";

const T0 = 1893456000000;
const SLOTS_PER_MS = 4096;
// What the other library calls itself, and how long its stack traces are, is no part of a recording.
const TOKENS = { version: () => "<version>", stacktrace: (text) => JSON.stringify(JSON.parse(text).map(() => "<stack>")) };

let now = T0;
Date.now = () => now;

const [socket, file] = process.argv.slice(2);
const options = { path: socket, maxRetriesPerRequest: null };
const redis = new IORedis(options);
const connection = new IORedis(options);

const pairs = (flat) => Object.fromEntries(flat.flatMap((name, i) => (i % 2 ? [] : [[name, flat[i + 1]]])));

function withTokens(fields) {
  for (const [name, token] of Object.entries(TOKENS)) if (fields[name]) fields[name] = token(fields[name]);
  return fields;
}

function scores(key, members) {
  if (!key.endsWith(":delayed")) return members;
  const slots = (score) => ({ due: String(Math.floor(score / SLOTS_PER_MS)), seq: score % SLOTS_PER_MS });
  return Object.fromEntries(Object.entries(members).map(([id, score]) => [id, slots(Number(score))]));
}

const readers = {
  string: (key) => redis.get(key),
  list: (key) => redis.lrange(key, 0, -1),
  set: async (key) => (await redis.smembers(key)).sort(),
  hash: async (key) => withTokens(await redis.hgetall(key)),
  zset: async (key) => scores(key, pairs(await redis.zrange(key, 0, -1, "WITHSCORES"))),
  stream: async (key) => (await redis.xrange(key, "-", "+")).map(([, fields]) => pairs(fields)),
};

async function dump() {
  const state = {};
  for (const key of (await redis.keys("*")).sort()) {
    const type = await redis.type(key);
    const ttl = await redis.pttl(key);
    // Times to live are recorded as they were set: in whole seconds.
    const life = ttl < 0 ? { ttl: "none" } : { ttl: "set", ttlMax: Math.ceil(ttl / 1000) * 1000 };
    state[key] = { type, value: await readers[type](key), ...life };
  }
  return state;
}

class Stage {
  constructor(scenario) {
    this.queues = {};
    this.workers = {};
    this.jobs = {};
    this.snapshots = {};
    this.flows = new FlowProducer({ connection });
    this.scenario = scenario;
  }

  async setUp() {
    for (const [name, given] of Object.entries(this.scenario.queues)) {
      this.queues[name] = new Queue(name, { connection, ...given });
      await this.queues[name].waitUntilReady();
    }
    for (const [handle, { queue, opts }] of Object.entries(this.scenario.workers)) {
      this.workers[handle] = new Worker(queue, async () => {}, { connection, autorun: false, ...opts });
    }
  }

  queue = (step) => this.queues[step.queue ?? "q"];
  worker = (step) => this.workers[step.worker ?? Object.keys(this.workers)[0]];
  job = async ({ job }) => (typeof job === "string" ? this.jobs[job] : Job.fromId(this.queues[job.queue], job.id));
  close = () => Promise.all([this.flows, ...Object.values(this.queues), ...Object.values(this.workers)].map((one) => one.close()));

  hold(step, job) {
    if (step.as && job) this.jobs[step.as] = job;
    return job;
  }
}

async function processJob(stage, step) {
  const worker = stage.worker(step);
  worker.processFn = async () => {
    for (const nested of step.processor.steps ?? []) await perform(stage, nested);
    // The only error that a processor raises in these scenarios.
    throw Worker.RateLimitError();
  };
  const next = await worker.processJob(await stage.job(step), step.token, () => Boolean(step.fetchNext), new Set());
  return { next: next?.id ?? null, errors: [] };
}

const named = (job) => ({ id: job.id, name: job.name });
// Calls whose answer is recorded, and those whose answer means nothing.
const answered = (call) => async (stage, step) => (await call(stage, step)) ?? null;
const silent = (call) => async (stage, step) => void (await call(stage, step));

const operations = {
  "queue.add": answered(async (s, o) => named(s.hold(o, await s.queue(o).add(o.name, o.data, o.opts)))),
  "queue.drain": silent((s, o) => s.queue(o).drain(o.delayed)),
  "queue.clean": answered((s, o) => s.queue(o).clean(o.grace, o.limit, o.type)),
  "queue.obliterate": silent((s, o) => s.queue(o).obliterate(o.opts)),
  "queue.remove": answered((s, o) => s.queue(o).remove(o.id, o.opts)),
  "queue.pause": silent((s, o) => s.queue(o).pause()),
  "queue.resume": silent((s, o) => s.queue(o).resume()),
  "queue.removeOrphanedJobs": answered((s, o) => s.queue(o).removeOrphanedJobs()),
  "queue.setGlobalConcurrency": silent((s, o) => s.queue(o).setGlobalConcurrency(o.concurrency)),
  "queue.removeGlobalConcurrency": silent((s, o) => s.queue(o).removeGlobalConcurrency()),
  "queue.setGlobalRateLimit": silent((s, o) => s.queue(o).setGlobalRateLimit(o.max, o.duration)),
  "queue.rateLimit": silent((s, o) => s.queue(o).rateLimit(o.ms)),
  "queue.removeRateLimitKey": silent((s, o) => s.queue(o).removeRateLimitKey()),
  "queue.getRateLimitTtl": answered((s, o) => s.queue(o).getRateLimitTtl(o.maxJobs)),
  "queue.isMaxed": answered((s, o) => s.queue(o).isMaxed()),
  "queue.removeDeduplicationKey": answered((s, o) => s.queue(o).removeDeduplicationKey(o.id)),
  "job.complete": silent(async (s, o) => (await s.job(o)).moveToCompleted(o.result, o.token, false)),
  "job.fail": silent(async (s, o) => (await s.job(o)).moveToFailed(new Error(o.error.message), o.token, false)),
  "job.moveToDelayed": silent(async (s, o) => (await s.job(o)).moveToDelayed(o.timestamp, o.token)),
  "job.retry": silent(async (s, o) => (await s.job(o)).retry(o.state)),
  "job.promote": silent(async (s, o) => (await s.job(o)).promote()),
  "job.removeUnprocessedChildren": silent(async (s, o) => (await s.job(o)).removeUnprocessedChildren()),
  "job.removeChildDependency": answered(async (s, o) => (await s.job(o)).removeChildDependency()),
  "job.removeDeduplicationKey": answered(async (s, o) => (await s.job(o)).removeDeduplicationKey()),
  "worker.fetch": silent(async (s, o) => s.hold(o, await s.worker(o).getNextJob(o.token, { block: false }))),
  "worker.process": answered(processJob),
  "flow.add": silent((s, o) => s.flows.add(o.flow)),
  redis: silent((s, o) => redis.call(...o.args)),
  snapshot: silent(async (s, o) => (s.snapshots[o.as] = await dump())),
};

function perform(stage, step) {
  const text = JSON.stringify(step).replace(/"<now([+-]\d+)?>"/g, (_, ms) => String(now + Number(ms ?? 0)));
  return operations[step.op](stage, JSON.parse(text));
}

async function record(scenario) {
  await redis.flushdb();
  now = T0;
  const stage = new Stage(scenario);
  await stage.setUp();
  const returns = {};
  const steps = [];
  for (const [i, step] of scenario.steps.entries()) {
    now = T0 + i + 1;
    steps.push({ ...step, at: i + 1 });
    try {
      const value = await perform(stage, step);
      if (value !== undefined) returns[step.as ?? `#${i}`] = value;
    } catch (error) {
      const code = error.code === undefined ? {} : { code: error.code };
      returns[step.as ?? `#${i}`] = { error: { name: "Error", message: error.message, ...code } };
    }
  }
  const state = await dump();
  await stage.close();
  return { ...scenario, clock: "virtual", steps, returns, snapshots: stage.snapshots, state };
}

const recording = JSON.parse(readFileSync(file, "utf8"));
const scenarios = [];
for (const scenario of recording.scenarios) scenarios.push(await record(scenario));
writeFileSync(file, `${JSON.stringify({ ...recording, t0: T0, count: scenarios.length, scenarios })}\n`);
process.exit(0);
