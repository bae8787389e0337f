import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import type { InstanceAddress } from '../../domain/fleet.ts'
import { NODE_COUNTERS_PATH } from '../../domain/graph/node-counters.ts'
import type { NodeCounters } from '../../domain/graph/node-counters.ts'
import type { ReadNodeCounters } from '../../ports/graph-statistics.ts'

// A container that is busy is shown without counters rather than waited for.
const ANSWER_MS = 1000
const NUMBERS = ['answeredCount', 'failedCount', 'latencyMicrosSum', 'latencyMicrosMax'] as const

/** Asks over HTTP. Every way of not answering is undefined: what is shown to people does without. */
export const readNodeCounters: ReadNodeCounters = async (address, signal) => {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)])
    return parseCounters(JSON.parse(await ask(address, limit)))
  } catch {
    return undefined
  }
}

function ask(address: InstanceAddress, signal: AbortSignal): Promise<string> {
  const place =
    address.kind === 'socket'
      ? { socketPath: address.path }
      : { host: address.host, port: address.port }
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const asking = request({ ...place, path: NODE_COUNTERS_PATH, agent: false, signal }, (reply) => {
    text(reply).then(resolve, reject)
  })
  asking.once('error', reject)
  asking.end()
  return promise
}

function parseCounters(value: unknown): readonly NodeCounters[] | undefined {
  return Array.isArray(value) && value.every(isCounters) ? value : undefined
}

function isCounters(value: unknown): value is NodeCounters {
  if (typeof value !== 'object' || value === null) return false
  const entries: ReadonlyMap<string, unknown> = new Map(Object.entries(value))
  return (
    typeof entries.get('node') === 'string' &&
    NUMBERS.every((name) => Number.isFinite(entries.get(name)))
  )
}
