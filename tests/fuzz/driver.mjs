// BullMQ for Node as the other side of a duel: it takes the steps of stories, at the times that they name.
//
// One JSON command a line comes in, one JSON answer a line goes out:
//   -> {"id": 1, "do": "begin", "path": "/the/socket", "db": 1, "prefix": "bull", "queues": {...}, "workers": {...}}
//   -> {"id": 2, "do": "step", "now": 1893456000001, "step": {"op": "queue.add", "queue": "a", "name": "n"}}
//   <- {"id": 2, "value": {"id": "1", "name": "n"}}          or {"id": 2, "value": {"error": {"name": ..., ...}}}
//   -> {"id": 3, "do": "leave"}
//   <- {"id": 4, "crash": "what the driver itself could not do"}

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const installed = createRequire(new URL("../interop/package.json", import.meta.url));
const bullmq = installed("bullmq");
const Redis = installed("ioredis");
const { FlowProducer, Job, Queue, QueueEventsProducer, Worker } = bullmq;

// The one clock: all that asks for the time gets that of the step.
const RealDate = Date;
let now = 0;
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length ? args : [now]));
  }
  static now() {
    return now;
  }
};

let session;

const BACKOFFS = { linear: (attempt) => attempt * 1000, never: () => -1, now: () => 0 };
const demoBackoff = (attempt, type) => (BACKOFFS[type] ?? (() => 2000))(attempt);

async function begin({ path, db, prefix, queues, workers }) {
  const connection = new Redis({ path, db, maxRetriesPerRequest: null });
  const base = { connection, prefix };
  const opened = { queues: new Map(), workers: new Map(), producers: {} };
  session = { connection, base, ...opened, jobs: new Map(), errors: [], stalled: [] };
  await connection.flushdb();
  for (const [name, options] of Object.entries(queues)) {
    const queue = openQueue(name, options);
    await queue.getVersion();
  }
  for (const [handle, { queue, opts, backoffStrategy }] of Object.entries(workers)) {
    session.workers.set(handle, openWorker(queue, opts, backoffStrategy));
    await session.workers.get(handle).waitUntilReady();
  }
}

function openQueue(name, options) {
  const queue = new Queue(name, { ...session.base, ...options });
  queue.on("error", () => {});
  session.queues.set(name, queue);
  return queue;
}

function openWorker(queue, opts, backoffStrategy) {
  const settings = backoffStrategy ? { settings: { backoffStrategy: demoBackoff } } : {};
  const worker = new Worker(queue, null, { ...session.base, autorun: false, ...opts, ...settings });
  const mine = session;
  worker.on("error", (error) => mine.errors.push(error.message));
  worker.on("stalled", (id) => mine.stalled.push(id));
  return worker;
}

async function leave() {
  const { queues, workers, connection } = session;
  await Promise.all([...workers.values()].map((worker) => worker.close(true)));
  await Promise.all([...queues.values()].map((queue) => queue.close()));
  connection.disconnect();
  session = undefined;
}

// A queue that the story does not open must write nothing of itself.
const queueOf = ({ queue = "q" }) => session.queues.get(queue) ?? openQueue(queue, { skipMetasUpdate: true });
const workerOf = ({ worker }) => session.workers.get(worker ?? session.workers.keys().next().value);
const flows = () => (session.flows ??= new FlowProducer(session.base));
const producer = (queue) => (session.producers[queue] ??= new QueueEventsProducer(queue, session.base));

function hold(handle, job, worker) {
  if (handle !== undefined && job) session.jobs.set(handle, { job, worker });
}

async function held({ job }) {
  if (typeof job === "string") {
    if (!session.jobs.has(job)) throw new Error(`no step has made a job ${job}`);
    return session.jobs.get(job);
  }
  const found = await Job.fromId(queueOf(job), job.id);
  if (!found) throw new Error(`${job.id} is gone`);
  return { job: found };
}

const jobOf = async (step) => (await held(step)).job;

function view(job) {
  if (!job) return null;
  const { repeatJobKey: _, ...opts } = { attempts: 0, ...job.opts };
  const { id, name, data, progress, delay, priority, timestamp, attemptsMade, attemptsStarted, stalledCounter } = job;
  const { processedOn, finishedOn, stacktrace, parentKey, parent, deduplicationId, repeatJobKey } = job;
  const { processedBy, deferredFailure, token, failedReason, returnvalue } = job;
  const all = {
    ...{ id, name, data, opts, progress, delay, priority, timestamp, attemptsMade, attemptsStarted, stalledCounter },
    ...{ processedOn, finishedOn, parentKey, parent, deduplicationId, repeatJobKey, processedBy, deferredFailure },
    ...{ token: token || undefined, failedReason: failedReason || undefined, returnvalue },
    stacktrace: (stacktrace ?? []).length,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined && value !== null));
}

const named = (job) => ({ id: job.id, name: job.name });
const ids = (jobs) => jobs.map((job) => job?.id ?? null);

function tree({ job, children }) {
  const node = { id: job.id, queue: job.queueName, name: job.name };
  // Children that are gone are not there.
  const living = (children ?? []).filter(Boolean);
  return living.length ? { ...node, children: living.map(tree) } : node;
}

function sortedTree(node) {
  if (node.children) node.children.forEach(sortedTree);
  node.children?.sort((left, right) => (`${left.queue}:${left.id}` < `${right.queue}:${right.id}` ? -1 : 1));
  return node;
}

function thrown({ name = "Error", message }) {
  const kind = { ...bullmq, Error }[name];
  if (kind) return message === undefined ? new kind() : new kind(message);
  return Object.assign(new Error(message), { name });
}

async function settled(step, holder, result) {
  if (!step.fetchNext) return null;
  if (!Array.isArray(result)) return { next: null };
  const [data, id, rateLimitDelay, delayUntil] = result;
  if (data && holder.worker) {
    hold(step.nextAs, await holder.worker.nextJobFromJobData(data, id, step.token), holder.worker);
  }
  return { next: data ? { id } : null, rateLimitDelay: Math.max(rateLimitDelay, 0), delayUntil };
}

async function run(job, step, worker) {
  worker.processFn = async (current) => {
    hold("$job", current, worker);
    for (const nested of step.processor.steps ?? []) await operations[nested.op](nested);
    if (step.processor.throw) throw thrown(step.processor.throw);
    return step.processor.return;
  };
  const { limitUntil } = worker;
  try {
    const next = await worker.processJob(job, step.token ?? job.token, () => Boolean(step.fetchNext));
    hold(step.nextAs, next, worker);
    return { next: next?.id ?? null, errors: session.errors.length };
  } finally {
    // See deviations.py: the end of one job is no word of the queue's rate limit.
    worker.limitUntil ||= limitUntil;
    // Without it, resuming a worker would start its loop.
    worker.processFn = undefined;
  }
}

const page = ({ start, end }) => [start ?? 0, end ?? -1];

const operations = {
  "clock.advance": async () => null,
  redis: async ({ args }) => void (await session.connection.call(...args.map(String))),

  "queue.add": async (step) => {
    const job = await queueOf(step).add(step.name, step.data, step.opts);
    hold(step.as, job);
    return named(job);
  },
  "queue.addBulk": async (step) => (await queueOf(step).addBulk(step.jobs)).map(named),
  "queue.pause": (step) => queueOf(step).pause(),
  "queue.resume": (step) => queueOf(step).resume(),
  "queue.isPaused": (step) => queueOf(step).isPaused(),
  "queue.isMaxed": (step) => queueOf(step).isMaxed(),
  "queue.drain": (step) => queueOf(step).drain(step.delayed),
  "queue.clean": (step) => queueOf(step).clean(step.grace, step.limit ?? 0, step.type),
  "queue.obliterate": (step) => queueOf(step).obliterate(step.opts),
  "queue.remove": (step) => queueOf(step).remove(step.id, step.opts),
  "queue.retryJobs": (step) => queueOf(step).retryJobs(step.opts),
  "queue.promoteJobs": (step) => queueOf(step).promoteJobs(step.opts),
  "queue.removeOrphanedJobs": (step) => queueOf(step).removeOrphanedJobs(),
  "queue.getJob": async (step) => view(await queueOf(step).getJob(step.id)),
  "queue.getJobs": async (step) => ids(await queueOf(step).getJobs(step.types, ...page(step), step.asc)),
  "queue.getRanges": (step) => queueOf(step).getRanges(step.types, ...page(step), step.asc),
  "queue.getWaiting": async (step) => ids(await queueOf(step).getWaiting(...page(step))),
  "queue.getActive": async (step) => ids(await queueOf(step).getActive(...page(step))),
  "queue.getDelayed": async (step) => ids(await queueOf(step).getDelayed(...page(step))),
  "queue.getPrioritized": async (step) => ids(await queueOf(step).getPrioritized(...page(step))),
  "queue.getCompleted": async (step) => ids(await queueOf(step).getCompleted(...page(step))),
  "queue.getFailed": async (step) => ids(await queueOf(step).getFailed(...page(step))),
  "queue.getWaitingChildren": async (step) => ids(await queueOf(step).getWaitingChildren(...page(step))),
  "queue.count": (step) => queueOf(step).count(),
  "queue.getDelayedCount": (step) => queueOf(step).getDelayedCount(step.timestamp),
  "queue.getJobCounts": (step) => queueOf(step).getJobCounts(...(step.types ?? [])),
  "queue.getCountsPerPriority": (step) => queueOf(step).getCountsPerPriority(step.priorities),
  "queue.getJobState": (step) => queueOf(step).getJobState(step.id),
  "queue.getJobLogs": (step) => queueOf(step).getJobLogs(step.id, ...page(step), step.asc),
  "queue.getDependencies": async (step) => {
    const { items, jobs, total } = await queueOf(step).getDependencies(step.id, step.type, ...page(step));
    items.sort((left, right) => (left.id < right.id ? -1 : 1));
    return { total, items, jobNames: jobs.map((job) => job.name).sort() };
  },
  "queue.addJobLog": (step) => queueOf(step).addJobLog(step.id, step.row, step.keepLogs),
  "queue.updateJobProgress": (step) => queueOf(step).updateJobProgress(step.id, step.progress),
  "queue.getMetrics": (step) => queueOf(step).getMetrics(step.type, ...page(step)),
  "queue.setGlobalConcurrency": async (step) => void (await queueOf(step).setGlobalConcurrency(step.concurrency)),
  "queue.getGlobalConcurrency": (step) => queueOf(step).getGlobalConcurrency(),
  "queue.removeGlobalConcurrency": async (step) => void (await queueOf(step).removeGlobalConcurrency()),
  "queue.setGlobalRateLimit": async (step) => void (await queueOf(step).setGlobalRateLimit(step.max, step.duration)),
  "queue.getGlobalRateLimit": (step) => queueOf(step).getGlobalRateLimit(),
  "queue.removeGlobalRateLimit": async (step) => void (await queueOf(step).removeGlobalRateLimit()),
  "queue.rateLimit": (step) => queueOf(step).rateLimit(step.ms),
  "queue.removeRateLimitKey": async (step) => void (await queueOf(step).removeRateLimitKey()),
  "queue.getRateLimitTtl": (step) => queueOf(step).getRateLimitTtl(step.maxJobs),
  "queue.getDeduplicationJobId": (step) => queueOf(step).getDeduplicationJobId(step.id),
  "queue.removeDeduplicationKey": (step) => queueOf(step).removeDeduplicationKey(step.id),
  "queue.upsertJobScheduler": async (step) => {
    const job = await queueOf(step).upsertJobScheduler(step.id, step.repeat, step.template);
    hold(step.as, job);
    return job ? named(job) : null;
  },
  "queue.getJobScheduler": (step) => queueOf(step).getJobScheduler(step.id),
  "queue.getJobSchedulers": (step) => queueOf(step).getJobSchedulers(...page(step), step.asc),
  "queue.getJobSchedulersCount": (step) => queueOf(step).getJobSchedulersCount(),
  "queue.removeJobScheduler": (step) => queueOf(step).removeJobScheduler(step.id),

  "job.complete": async (step) => {
    const holder = await held(step);
    return settled(step, holder, await holder.job.moveToCompleted(step.result, step.token, Boolean(step.fetchNext)));
  },
  "job.fail": async (step) => {
    const holder = await held(step);
    const error = thrown(step.error);
    return settled(step, holder, await holder.job.moveToFailed(error, step.token, Boolean(step.fetchNext)));
  },
  "job.moveToDelayed": async (step) => void (await (await jobOf(step)).moveToDelayed(step.timestamp, step.token)),
  "job.moveToWait": async (step) => (await jobOf(step)).moveToWait(step.token),
  "job.moveToWaitingChildren": async (step) => {
    const child = step.opts?.child;
    return (await jobOf(step)).moveToWaitingChildren(step.token, child ? { child } : {});
  },
  "job.retry": async (step) => void (await (await jobOf(step)).retry(step.state, step.opts)),
  "job.promote": async (step) => void (await (await jobOf(step)).promote()),
  "job.changeDelay": async (step) => void (await (await jobOf(step)).changeDelay(step.delay)),
  "job.changePriority": async (step) => void (await (await jobOf(step)).changePriority(step.opts)),
  "job.updateData": async (step) => (await jobOf(step)).updateData(step.data),
  "job.updateProgress": async (step) => (await jobOf(step)).updateProgress(step.progress),
  "job.log": async (step) => (await jobOf(step)).log(step.row),
  "job.clearLogs": async (step) => void (await (await jobOf(step)).clearLogs(step.keepLogs)),
  "job.remove": async (step) => (await jobOf(step)).remove(step.opts),
  "job.removeUnprocessedChildren": async (step) => (await jobOf(step)).removeUnprocessedChildren(),
  "job.removeChildDependency": async (step) => (await jobOf(step)).removeChildDependency(),
  "job.removeDeduplicationKey": async (step) => (await jobOf(step)).removeDeduplicationKey(),
  "job.extendLock": async (step) => (await jobOf(step)).extendLock(step.token, step.duration),
  "job.getState": async (step) => (await jobOf(step)).getState(),
  "job.getChildrenValues": async (step) => (await jobOf(step)).getChildrenValues(),
  "job.getIgnoredChildrenFailures": async (step) => (await jobOf(step)).getIgnoredChildrenFailures(),
  "job.getDependenciesCount": async (step) => (await jobOf(step)).getDependenciesCount(step.opts),
  "job.getDependencies": async (step) => {
    const found = await (await jobOf(step)).getDependencies(step.opts);
    found.unprocessed?.sort();
    return found;
  },

  "worker.fetch": async (step) => {
    const worker = workerOf(step);
    const job = await worker.getNextJob(step.token, { block: false });
    hold(step.as, job, worker);
    return session.errors.length ? { job: view(job), errors: session.errors.length } : view(job);
  },
  "worker.process": async (step) => run(await jobOf(step), step, workerOf(step)),
  "worker.checkStalled": async (step) => {
    await workerOf(step).moveStalledJobsToWait();
    return session.stalled.sort();
  },
  "worker.extendLocks": async (step) => workerOf(step).extendJobLocks(step.ids, step.tokens, step.duration),
  "worker.pause": (step) => workerOf(step).pause(),
  "worker.resume": (step) => workerOf(step).resume(),

  "flow.add": async (step) => {
    const node = await flows().add(step.flow, step.opts);
    hold(step.as, node.job);
    return tree(node);
  },
  "flow.addBulk": async (step) => (await flows().addBulk(step.flows)).map(tree),
  "flow.getFlow": async (step) => {
    const node = await flows().getFlow(step.opts);
    return node ? sortedTree(tree(node)) : null;
  },
  "events.publish": (step) => producer(step.queue).publishEvent(step.event, step.maxEvents),
};

async function take({ now: time, step }) {
  now = time;
  session.errors = [];
  session.stalled = [];
  if (!(step.op in operations)) throw new Error(`the driver has no operation ${step.op}`);
  try {
    return (await operations[step.op](step)) ?? null;
  } catch ({ name, message, code }) {
    const error = { name: name === "UnrecoverableError" ? name : "Error", message };
    return { error: typeof code === "number" ? { ...error, code } : error };
  }
}

const commands = { begin, step: take, leave };

async function answer({ id, do: command, ...rest }) {
  const line = { id };
  try {
    line.value = (await commands[command](rest)) ?? null;
  } catch (error) {
    line.crash = error.stack;
  }
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const input = createInterface({ input: process.stdin });
input.on("line", (line) => void answer(JSON.parse(line)));
input.on("close", () => process.exit());
