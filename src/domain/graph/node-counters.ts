/** Where a container of `berth/graph` tells {@link NodeCounters} of its nodes, beside the container contract. */
export const NODE_COUNTERS_PATH = '/berth/nodes'

/** What one node of a graph has done since its container started. */
export interface NodeCounters {
  /** Its name in `nodes`, or the keys that lead to it: `graph.tree`. */
  readonly node: string
  readonly answeredCount: number
  /** Whatever answered in its place. */
  readonly failedCount: number
  readonly latencyMicrosSum: number
  readonly latencyMicrosMax: number
}

/** Counters of several containers of one graph as one, in the order in which nodes were first named. */
export function addNodeCounters(
  containers: readonly (readonly NodeCounters[])[],
): readonly NodeCounters[] {
  const byNode = new Map<string, NodeCounters>()
  for (const counters of containers.flat()) {
    const known = byNode.get(counters.node)
    byNode.set(counters.node, known === undefined ? counters : addTwo(known, counters))
  }
  return [...byNode.values()]
}

function addTwo(a: NodeCounters, b: NodeCounters): NodeCounters {
  return {
    node: a.node,
    answeredCount: a.answeredCount + b.answeredCount,
    failedCount: a.failedCount + b.failedCount,
    latencyMicrosSum: a.latencyMicrosSum + b.latencyMicrosSum,
    latencyMicrosMax: Math.max(a.latencyMicrosMax, b.latencyMicrosMax),
  }
}
