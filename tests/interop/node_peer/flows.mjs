// Commands on trees of jobs.

import { flowProducer, jobOf } from "./opened.mjs";

// A tree of jobs as a tree of their ids.
function idsOf(node) {
  return { id: node.job.id, children: (node.children ?? []).map(idsOf) };
}

// A tree as it was read: each job with its queue, and children in an order of their own.
function placesOf({ job, children = [] }) {
  const places = children.map(placesOf).sort((one, other) => (one.key < other.key ? -1 : 1));
  return { key: `${job.queueQualifiedName}:${job.id}`, name: job.name, data: job.data, children: places };
}

export const flows = {
  addFlow: async ({ flow }) => idsOf(await flowProducer().add(flow)),
  getFlow: async ({ options }) => {
    const tree = await flowProducer().getFlow(options);
    return tree?.job ? placesOf(tree) : null;
  },
  ignoredFailures: async (job) => (await jobOf(job)).getIgnoredChildrenFailures(),
  dependencies: async (job) => (await jobOf(job)).getDependenciesCount(),
  dependenciesOf: async (job) => (await jobOf(job)).getDependencies(),
  childrenValues: async (job) => (await jobOf(job)).getChildrenValues(),
  removeUnprocessedChildren: async (job) => (await jobOf(job)).removeUnprocessedChildren(),
  removeChildDependency: async (job) => (await jobOf(job)).removeChildDependency(),
};
