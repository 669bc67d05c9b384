// BullMQ for Node, as a program that the runner steers: see benchmarks/child.py for what is said on the lines.
// It does what adapters/toril.py does, step by step.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";

const require = createRequire(new URL("../../tests/interop/package.json", import.meta.url));
const { FlowProducer, Queue, QueueEvents, Worker } = require("bullmq");
const { Redis } = require("ioredis");
const version = (name) => require(`${name}/package.json`).version;
const VERSIONS = { bullmq: version("bullmq"), ioredis: version("ioredis"), node: process.versions.node };

// The wall clock, finer than Date.now(): what is to be added to performance.now(). Read when Date.now() has
// just turned; whatever comes between makes it too small, so the largest of several is right.
const TURNS = 20;
let wallOffset = performance.timeOrigin;
function readWallClock() {
  wallOffset = -Infinity;
  for (let turn = 0; turn < TURNS; turn++) {
    const before = Date.now();
    let now = before;
    while (now === before) now = Date.now();
    wallOffset = Math.max(wallOffset, now - performance.now());
  }
}
const wallUs = () => (wallOffset + performance.now()) * 1000;

// What a job that needs the processor does, about 20 ms long: as benchmarks/burn.py, more often.
const BURN_TIMES = 4_000_000;
function burn() {
  let total = 0;
  for (let number = 0; number < BURN_TIMES; number++) total = (total * 31 + number) % 1_000_003;
  return total;
}

// How long an I/O job waits, and between looks whether other workers are done, in milliseconds.
const IO_MS = 10;
const LOOK_MS = 2;

function connectionOf(text) {
  const url = new URL(text);
  if (url.protocol === "unix:") {
    return { path: decodeURIComponent(url.pathname), db: Number(url.searchParams.get("db") ?? 0) };
  }
  return {
    host: url.hostname,
    port: Number(url.port || 6379),
    username: decodeURIComponent(url.username) || undefined,
    password: decodeURIComponent(url.password) || undefined,
    db: Number(url.pathname.slice(1) || 0),
  };
}

class Adding {
  constructor(order, name, count) {
    this.order = order;
    this.queue = new Queue(name, { connection: connectionOf(order.url) });
    this.count = count;
    this.next = 0;
    this.ids = [];
    this.at_us = {};
    this.done_us = {};
    this.due_us = {};
    // A job that fails is retried once, at once.
    this.opts = order.job === "fail" ? { attempts: 2 } : {};
    this.more = order.payload ? { text: "x".repeat(order.payload) } : {};
    if (order.mode === "await") this.events = new QueueEvents(name, { connection: connectionOf(order.url) });
  }

  async ready() {
    await this.queue.waitUntilReady();
    await this.events?.waitUntilReady();
  }

  async go() {
    const ways = {
      one: () => this.oneByOne(),
      concurrent: () => Promise.all(Array.from({ length: this.order.callers }, () => this.oneByOne())),
      bulk: () => this.inBulk(),
      fill: () => this.inBulk(),
      delayed: () => this.delayed(),
      spaced: () => this.spaced(),
      await: () => this.spaced(),
      arriving: () => this.arriving(),
    };
    await ways[this.order.mode]();
  }

  async oneByOne() {
    while (this.next < this.count) {
      const job = await this.queue.add("noop", { n: this.next++, ...this.more });
      this.ids.push(job.id);
    }
  }

  job(n) {
    const { priorities } = this.order;
    const opts = priorities ? { priority: (n % priorities) + 1 } : this.opts;
    return { name: "noop", data: { n, ...this.more }, opts };
  }

  async inBulk() {
    while (this.next < this.count) {
      const size = Math.min(this.order.chunk, this.count - this.next);
      const jobs = Array.from({ length: size }, () => this.job(this.next++));
      for (const job of await this.queue.addBulk(jobs)) this.ids.push(job.id);
    }
  }

  async delayed() {
    const first = Date.now() + this.order.due_in_ms;
    const step = this.order.due_over_ms / this.count;
    while (this.next < this.count) {
      const size = Math.min(this.order.chunk, this.count - this.next);
      const timestamp = Date.now();
      const jobs = Array.from({ length: size }, () => {
        const delay = Math.floor(first + this.next * step) - timestamp;
        return { name: "noop", data: { n: this.next++ }, opts: { delay, timestamp } };
      });
      for (const job of await this.queue.addBulk(jobs)) {
        this.ids.push(job.id);
        this.due_us[job.id] = (timestamp + job.opts.delay) * 1000;
      }
    }
  }

  async spaced() {
    for (const pause of this.order.pauses_ms) {
      await wait(pause);
      const began = wallUs();
      const job = await this.queue.add("noop", { n: this.next++ });
      this.ids.push(job.id);
      this.at_us[job.id] = began;
      if (this.events) {
        await job.waitUntilFinished(this.events);
        this.done_us[job.id] = wallUs();
      }
    }
  }

  // Each when it is planned, done or not what was before; see benchmarks/arrivals.py.
  async arriving() {
    let plannedUs = wallUs();
    const underWay = [];
    for (const pause of this.order.pauses_ms) {
      plannedUs += pause * 1000;
      for (let left = plannedUs - wallUs(); left > 0; left = plannedUs - wallUs()) {
        await wait(Math.max(left / 1000, 1));
      }
      underWay.push(this.arrive(plannedUs));
    }
    await Promise.all(underWay);
  }

  async arrive(plannedUs) {
    const job = await this.queue.add("noop", { n: this.next++ });
    this.ids.push(job.id);
    this.at_us[job.id] = plannedUs;
  }

  async result() {
    const waiting = (await this.queue.getWaitingCount()) + (await this.queue.getPrioritizedCount());
    await this.events?.close();
    await this.queue.close();
    const { ids, at_us, done_us, due_us } = this;
    return { ids, at_us, done_us, due_us, waiting };
  }
}

class Working {
  constructor(order, name, count) {
    const connection = connectionOf(order.url);
    this.order = order;
    this.count = count;
    this.seen = [];
    this.at_us = {};
    this.queue = new Queue(name, { connection });
    this.worker = new Worker(name, this.handler(), {
      connection,
      concurrency: order.concurrency,
      autorun: false,
    });
    // Each attempt that fails is told.
    this.left = order.job === "fail" ? 2 * count : count;
    this.done = new Promise((resolve, reject) => {
      this.failed = reject;
      const settled = () => --this.left === 0 && !order.shared && resolve();
      this.worker.on("completed", settled);
      this.worker.on("failed", settled);
      if (order.shared) this.worker.on("drained", resolve);
    });
    this.worker.on("error", (error) => this.failed(error));
  }

  handler() {
    const { job: kind, ledger, stamps } = this.order;
    if (kind === "noop" && !ledger) return async () => {};
    const stamp = async (job) => {
      const began = wallUs();
      this.seen.push(job.id);
      this.at_us[job.id] ??= began;
    };
    const kinds = {
      noop: async (job) => {
        this.seen.push(job.id);
      },
      read: async (job) => {
        if (job.data.text.length === this.order.payload) this.seen.push(job.id);
      },
      cpu: async (job) => {
        this.seen.push(job.id);
        burn();
      },
      io: async (job) => {
        this.seen.push(job.id);
        await wait(IO_MS);
      },
      fail: async (job) => {
        this.seen.push(job.id);
        throw new Error("as it shall");
      },
    };
    return stamps ? stamp : kinds[kind];
  }

  async ready() {
    await Promise.all([this.queue.waitUntilReady(), this.worker.waitUntilReady()]);
  }

  start() {
    this.worker.run().catch((error) => this.failed(error));
  }

  async go() {
    this.start();
    await this.done;
    while (this.order.shared && (await this.queue.getCompletedCount()) < this.count) await wait(LOOK_MS);
  }

  async result() {
    await this.worker.close();
    const completed = await this.queue.getCompletedCount();
    const failed = await this.queue.getFailedCount();
    await this.queue.close();
    return { ids: this.seen, at_us: this.at_us, seen: this.count - this.left, completed, failed };
  }
}

// Adds parents with children, and runs them all.
class Flowing extends Working {
  constructor(order, name, count) {
    const whole = order.children + 1;
    super(order, name, Math.max(Math.floor(count / whole), 1) * whole);
    this.name = name;
    this.flows = new FlowProducer({ connection: connectionOf(order.url) });
    this.added = [];
  }

  async ready() {
    await this.flows.waitUntilReady();
    await super.ready();
  }

  async go() {
    this.start();
    const { name: queueName } = this;
    for (let flow = this.count / (this.order.children + 1); flow > 0; flow--) {
      const children = Array.from({ length: this.order.children }, (_, n) => ({
        name: "child",
        queueName,
        data: { n },
      }));
      const node = await this.flows.add({ name: "parent", queueName, data: {}, children });
      this.added.push(node.job.id, ...node.children.map((child) => child.job.id));
    }
    await this.done;
  }

  async result() {
    const told = await super.result();
    await this.flows.close();
    return { ...told, added: this.added };
  }
}

// Adds to many queues in turns, and runs all of them in this process, which share what connection they can.
class Spreading {
  constructor(order, name, count) {
    const names = Array.from({ length: order.queues }, (_, number) => `${name}-${number}`);
    this.connection = new Redis({ ...connectionOf(order.url), maxRetriesPerRequest: null });
    const { connection } = this;
    this.callers = order.callers;
    this.count = count;
    this.next = 0;
    this.added = [];
    this.seen = [];
    this.queues = names.map((each) => new Queue(each, { connection }));
    let left = count;
    this.done = new Promise((resolve, reject) => {
      this.workers = names.map((each) => {
        const see = async (job) => {
          this.seen.push(`${each}:${job.id}`);
        };
        const { concurrency } = order;
        const worker = new Worker(each, see, { connection, concurrency, autorun: false });
        worker.on("completed", () => --left === 0 && resolve());
        worker.on("error", reject);
        return worker;
      });
    });
  }

  async ready() {
    await Promise.all([...this.queues, ...this.workers].map((each) => each.waitUntilReady()));
    for (const worker of this.workers) worker.run();
  }

  async go() {
    await Promise.all(Array.from({ length: this.callers }, () => this.add()));
    await this.done;
  }

  async add() {
    while (this.next < this.count) {
      const n = this.next++;
      const queue = this.queues[n % this.queues.length];
      const job = await queue.add("noop", { n });
      this.added.push(`${queue.name}:${job.id}`);
    }
  }

  async result() {
    await Promise.all(this.workers.map((worker) => worker.close()));
    let completed = 0;
    for (const queue of this.queues) completed += await queue.getCompletedCount();
    await Promise.all(this.queues.map((queue) => queue.close()));
    this.connection.disconnect();
    return { ids: this.seen, added: this.added, completed };
  }
}

// What a job that needs the processor does, with no queue.
class Burning {
  constructor(order) {
    this.count = order.count;
  }

  async go() {
    for (let left = this.count; left > 0; left--) burn();
  }

  async result() {
    return {};
  }
}

async function prepare(order) {
  if (order.verb === "burn") return new Burning(order);
  const Kind = { add: Adding, work: Working, flow: Flowing, spread: Spreading }[order.verb];
  if (order.warmup) {
    const warm = new Kind({ ...order, queues: 1 }, order.warm_queue, order.warmup);
    await warm.ready();
    await warm.go();
    await warm.result();
  }
  const task = new Kind(order, order.queue, order.count);
  await task.ready();
  // It takes some 20 ms, which do not belong to the time that a worker boots in.
  if (order.warmup || order.verb === "add") readWallClock();
  return task;
}

async function measure(task) {
  const began = performance.now();
  const cpuBegan = process.cpuUsage();
  await task.go();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpuBegan);
  return { seconds, cpu: (user + system) / 1e6, ...(await task.result()) };
}

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

let task;
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (message.prepare) {
    task = await prepare(message.prepare);
    say({ ready: true });
  } else if (message.versions) {
    say({ versions: VERSIONS });
  } else {
    say({ result: await measure(task) });
  }
}
process.exit(0);
