import type { NodeCounters } from '../../domain/graph/node-counters.ts'
import type { Log } from '../log.ts'

interface Counts {
  answeredCount: number
  failedCount: number
  totalMs: number
  mostMs: number
}

const INTERVAL_MS = 60_000

/** How the nodes of a graph do: a line for each once a minute while it is used, and one when it begins or ends to fail. */
export class NodeStatistics {
  readonly #log: Log
  readonly #countsByNode = new Map<string, Counts>()
  /** Since the start; the others are since the last line. */
  readonly #totalsByNode = new Map<string, Counts>()
  readonly #failing = new Set<string>()
  readonly #timer: NodeJS.Timeout

  constructor(log: Log) {
    this.#log = log
    this.#timer = setInterval(() => this.#tell(), INTERVAL_MS)
    this.#timer.unref()
  }

  record(node: string, tookMs: number, failure: string | undefined): void {
    for (const counts of [
      findOrAdd(this.#countsByNode, node),
      findOrAdd(this.#totalsByNode, node),
    ]) {
      counts.totalMs += tookMs
      counts.mostMs = Math.max(counts.mostMs, tookMs)
      if (failure === undefined) counts.answeredCount += 1
      else counts.failedCount += 1
    }
    if (failure === undefined) {
      if (this.#failing.delete(node)) this.#log('info', 'node answers again', { node })
      return
    }
    if (this.#failing.has(node)) return
    this.#failing.add(node)
    this.#log('warn', 'node failed', { node })
  }

  /** What nodes have done since the start, in the order in which they were first used. */
  counters(): readonly NodeCounters[] {
    return [...this.#totalsByNode].map(([node, counts]) => ({
      node,
      answeredCount: counts.answeredCount,
      failedCount: counts.failedCount,
      latencyMicrosSum: Math.round(counts.totalMs * 1000),
      latencyMicrosMax: Math.round(counts.mostMs * 1000),
    }))
  }

  /** Tells what has not been told. */
  close(): void {
    clearInterval(this.#timer)
    this.#tell()
  }

  #tell(): void {
    for (const [node, { answeredCount, failedCount, totalMs, mostMs }] of this.#countsByNode) {
      const meanMs = Math.round((totalMs / (answeredCount + failedCount)) * 100) / 100
      const fields = { node, answeredCount, failedCount, meanMs, mostMs: Math.round(mostMs) }
      this.#log('info', 'node used', fields)
    }
    this.#countsByNode.clear()
  }
}

function findOrAdd(countsByNode: Map<string, Counts>, node: string): Counts {
  const known = countsByNode.get(node)
  if (known !== undefined) return known
  const counts = { answeredCount: 0, failedCount: 0, totalMs: 0, mostMs: 0 }
  countsByNode.set(node, counts)
  return counts
}
