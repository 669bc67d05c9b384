// What a job does follows from its name; scripted.py holds the same for toril.

import { setTimeout as wait } from "node:timers/promises";
import { RateLimitError, UnrecoverableError, WaitingChildrenError } from "./library.mjs";
import { client, held, queueOf } from "./opened.mjs";

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
  // How many jobs of this name run on both sides, as the server counts them.
  counted: async (job) => {
    const running = await client().incr(job.data.counter);
    await wait(job.data.ms);
    await client().decr(job.data.counter);
    return { side: "node", running };
  },
  // It finds out that somebody else's limit is reached.
  limited: async (job) => {
    if (job.attemptsStarted > 1) return "node";
    await queueOf(job.queueName).rateLimit(job.data.ms);
    throw new RateLimitError();
  },
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

export async function run(job, token) {
  if (!(job.name in processors)) throw new UnrecoverableError(`no job is called ${job.name}`);
  return processors[job.name](job, token);
}
