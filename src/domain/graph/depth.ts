/** Header in which a graph tells an endpoint how many graphs the call has come through. In lower case. */
export const GRAPH_DEPTH_HEADER = 'x-berth-graph-depth'

/** Graphs behind one another; more are a circle through endpoints, which no single graph can see. */
export const GRAPH_DEPTH_MAX = 8

/** The depth of a call that says so in the header; undefined when it is too deep, or not a number. */
export function parseGraphDepth(header: string | undefined): number | undefined {
  if (header === undefined) return 0
  const depth = /^\d{1,3}$/.test(header) ? Number(header) : Infinity
  return depth <= GRAPH_DEPTH_MAX ? depth : undefined
}
