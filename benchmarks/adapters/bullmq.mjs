// BullMQ for Node, as a program that the runner steers: see benchmarks/child.py for what is said on the lines.
// It does what adapters/toril.py does, step by step.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";

const require = createRequire(new URL("../../tests/interop/package.json", import.meta.url));
const { Queue, Worker } = require("bullmq");
const version = (name) => require(`${name}/package.json`).version;
const VERSIONS = { bullmq: version("bullmq"), ioredis: version("ioredis"), node: process.versions.node };

// The wall clock, finer than Date.now(): what is to be added to performance.now(). Read when Date.now() has
// just turned; whatever comes between makes it too small, so the largest of several is right.
const TURNS = 20;
let wallOffset = -Infinity;
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
  }

  async ready() {
    await this.queue.waitUntilReady();
  }

  async go() {
    const ways = {
      one: () => this.oneByOne(),
      concurrent: () => Promise.all(Array.from({ length: this.order.callers }, () => this.oneByOne())),
      bulk: () => this.inBulk(),
      spaced: () => this.spaced(),
    };
    await ways[this.order.mode]();
  }

  async oneByOne() {
    while (this.next < this.count) {
      const job = await this.queue.add("noop", { n: this.next++ });
      this.ids.push(job.id);
    }
  }

  async inBulk() {
    while (this.next < this.count) {
      const size = Math.min(this.order.chunk, this.count - this.next);
      const jobs = Array.from({ length: size }, () => ({ name: "noop", data: { n: this.next++ } }));
      for (const job of await this.queue.addBulk(jobs)) this.ids.push(job.id);
    }
  }

  async spaced() {
    for (const pause of this.order.pauses_ms) {
      await wait(pause);
      const began = wallUs();
      const job = await this.queue.add("noop", { n: this.next++ });
      this.ids.push(job.id);
      this.at_us[job.id] = began;
    }
  }

  async result() {
    const waiting = await this.queue.getWaitingCount();
    await this.queue.close();
    return { ids: this.ids, at_us: this.at_us, waiting };
  }
}

class Working {
  constructor(order, name, count) {
    const connection = connectionOf(order.url);
    this.seen = [];
    this.at_us = {};
    const see = async (job) => {
      this.seen.push(job.id);
    };
    const stamp = async (job) => {
      const began = wallUs();
      this.seen.push(job.id);
      this.at_us[job.id] ??= began;
    };
    this.queue = new Queue(name, { connection });
    this.worker = new Worker(name, order.stamps ? stamp : see, {
      connection,
      concurrency: order.concurrency,
      autorun: false,
    });
    let left = count;
    this.done = new Promise((resolve, reject) => {
      this.failed = reject;
      this.worker.on("completed", () => --left === 0 && resolve());
    });
    this.worker.on("error", (error) => this.failed(error));
  }

  async ready() {
    await Promise.all([this.queue.waitUntilReady(), this.worker.waitUntilReady()]);
  }

  async go() {
    this.worker.run().catch((error) => this.failed(error));
    await this.done;
  }

  async result() {
    await this.worker.close();
    const completed = await this.queue.getCompletedCount();
    await this.queue.close();
    return { ids: this.seen, at_us: this.at_us, completed };
  }
}

async function prepare(order) {
  const Kind = { add: Adding, work: Working }[order.verb];
  if (order.warmup) {
    const warm = new Kind(order, order.warm_queue, order.warmup);
    await warm.ready();
    await warm.go();
    await warm.result();
  }
  const task = new Kind(order, order.queue, order.count);
  await task.ready();
  readWallClock();
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
    say({ ready: VERSIONS });
  } else {
    say({ result: await measure(task) });
  }
}
process.exit(0);
