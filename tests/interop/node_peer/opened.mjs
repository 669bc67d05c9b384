// What is opened between "begin" and "leave", once each, and the lines that tell of it.

import { Redis } from "ioredis";
import { FlowProducer, Queue, QueueEventsProducer, Worker } from "./library.mjs";

// The options that all has in common that is opened, and all that was opened.
export let base;
const opened = new Map();

// What lets the jobs go on that wait for the command "release".
export const held = [];

export function begin({ path, prefix }) {
  base = { connection: { path, maxRetriesPerRequest: null }, prefix };
}

export async function leave() {
  const all = [...opened.values()];
  base = undefined;
  opened.clear();
  held.length = 0;
  // Jobs that hang are not waited for.
  await Promise.all(all.map((it) => (it instanceof Worker ? it.close(true) : it.close())));
}

export async function closeWorkers() {
  const workers = [...opened].filter(([, it]) => it instanceof Worker);
  for (const [key] of workers) opened.delete(key);
  await Promise.all(workers.map(([, worker]) => worker.close()));
}

let count = 0;

// A key under which nothing is open.
export const newKey = (kind) => `${kind} ${(count += 1)}`;

export function open(key, make) {
  if (!opened.has(key)) opened.set(key, make());
  return opened.get(key);
}

export const queueOf = (name) => open(`queue ${name}`, () => new Queue(name, base));
export const producerOf = (name) => open(`producer ${name}`, () => new QueueEventsProducer(name, base));
export const flowProducer = () => open("flows", () => new FlowProducer(base));

// A connection for commands that are not BullMQ's.
export function client() {
  return open("client", () => {
    const redis = new Redis(base.connection);
    return { redis, close: () => redis.quit() };
  }).redis;
}

export const jobOf = ({ queue, jobId }) => queueOf(queue).getJob(jobId);

export function tell(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

// A function that tells of one queue, as long as nobody has left.
export function reporter(from, queue) {
  const mine = base;
  return (event, more) => {
    if (base === mine) tell({ from, queue, event, ...more });
  };
}
