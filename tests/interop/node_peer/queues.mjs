// Commands that steer a queue as a whole: pausing, limits, deduplication, schedulers.

import { queueOf } from "./opened.mjs";

const limits = {
  setGlobalConcurrency: ({ queue, concurrency }) => queueOf(queue).setGlobalConcurrency(concurrency),
  setGlobalRateLimit: ({ queue, max, duration }) => queueOf(queue).setGlobalRateLimit(max, duration),
  removeGlobalConcurrency: ({ queue }) => queueOf(queue).removeGlobalConcurrency(),
  removeGlobalRateLimit: ({ queue }) => queueOf(queue).removeGlobalRateLimit(),
  getGlobalConcurrency: ({ queue }) => queueOf(queue).getGlobalConcurrency(),
  getGlobalRateLimit: ({ queue }) => queueOf(queue).getGlobalRateLimit(),
  rateLimit: ({ queue, ms }) => queueOf(queue).rateLimit(ms),
  getRateLimitTtl: ({ queue }) => queueOf(queue).getRateLimitTtl(),
  removeRateLimitKey: ({ queue }) => queueOf(queue).removeRateLimitKey(),
};

const deduplication = {
  getDeduplicationJobId: ({ queue, key }) => queueOf(queue).getDeduplicationJobId(key),
  removeDeduplicationKey: ({ queue, key }) => queueOf(queue).removeDeduplicationKey(key),
};

const schedulers = {
  upsertJobScheduler: async ({ queue, key, repeat, template }) =>
    (await queueOf(queue).upsertJobScheduler(key, repeat, template))?.id,
  // Only version 5 knows this.
  addRepeatable: async ({ queue, name, repeat }) => (await queueOf(queue).add(name, {}, { repeat })).id,
  getJobScheduler: ({ queue, key }) => queueOf(queue).getJobScheduler(key),
  getJobSchedulers: ({ queue }) => queueOf(queue).getJobSchedulers(0, -1, true),
  removeJobScheduler: ({ queue, key }) => queueOf(queue).removeJobScheduler(key),
};

export const queues = {
  pause: ({ queue }) => queueOf(queue).pause(),
  resume: ({ queue }) => queueOf(queue).resume(),
  ...limits,
  ...deduplication,
  ...schedulers,
};
