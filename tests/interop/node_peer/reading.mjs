// Commands that read a queue: its jobs, settings, counts and who is connected.

import { queueOf } from "./opened.mjs";

export const reading = {
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
  getMetrics: ({ queue, state }) => queueOf(queue).getMetrics(state),
  exportPrometheusMetrics: ({ queue, labels }) => queueOf(queue).exportPrometheusMetrics(labels),
  isPaused: ({ queue }) => queueOf(queue).isPaused(),
};
