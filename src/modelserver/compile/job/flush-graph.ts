import { DATA_TYPE, readGraph } from './graph.ts'
import { writeGraph } from './write-graph.ts'
import type { NewTensor } from './write-graph.ts'

// The smallest float32 with all its digits. Source: IEEE 754, binary32.
const SMALLEST_NORMAL = 2 ** -126

/**
 * Writes the graph with zeros for weights too small to have all their digits. Training with weight decay leaves them; a
 * processor takes a hundred cycles for each product, which made examples/digits five times as slow.
 *
 * @returns how many there were; with none, nothing is written.
 */
export function flushGraph(path: string, targetPath: string): number {
  const graph = readGraph(path)
  const added: NewTensor[] = []
  let flushedCount = 0
  for (const { name, type, dims, readFloats } of graph.weights) {
    if (type !== DATA_TYPE.float32 || graph.inputNames.has(name)) continue
    const floats = readFloats()
    const count = flush(floats)
    if (count === 0) continue
    flushedCount += count
    added.push({ name, type, dims, bytes: new Uint8Array(floats.buffer) })
  }
  if (added.length === 0) return 0
  const nodes = graph.nodes.map(({ field: { payload } }) =>
    graph.source.read(payload.start, payload.end - payload.start),
  )
  writeGraph(graph, targetPath, { nodes, added, removed: new Set(added.map(({ name }) => name)) })
  return flushedCount
}

function flush(floats: Float32Array): number {
  let count = 0
  for (let index = 0; index < floats.length; index += 1) {
    const size = Math.abs(floats[index] ?? 0)
    if (size === 0 || size >= SMALLEST_NORMAL) continue
    floats[index] = 0
    count += 1
  }
  return count
}
