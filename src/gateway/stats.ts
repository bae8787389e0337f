import { ERRORS, isBerthError } from '../domain/errors.ts'
import { ClientGone } from './deadline.ts'
import type { InvocationCounters, VariantCounters } from '../wire/link.ts'

/** One finished invocation. */
export interface InvocationRecord {
  readonly endpointName: string
  readonly variantName: string
  /** Which error metric counts it. */
  readonly failed: '4xx' | '5xx' | undefined
  readonly modelLatencyMicros: number
  readonly totalMicros: number
}

type MutableCounters = { -readonly [Name in keyof InvocationCounters]: InvocationCounters[Name] }

interface VariantEntry {
  readonly endpointName: string
  readonly variantName: string
  readonly counters: MutableCounters
  hasChanged: boolean
}

/** Measures one invocation; disposing of it counts it. */
export interface InvocationMeter extends Disposable {
  /** Measures the time an instance has the invocation, until disposed of. */
  startAttempt(): Disposable
  recordFailure(failed: '4xx' | '5xx'): void
  recordError(error: unknown): void
}

/** Counts invocations since the start of the process, in all and for each variant. */
export class InvocationStats {
  readonly #totals = noCounts()
  readonly #entryByVariant = new Map<string, VariantEntry>()

  /** Begins to measure an invocation. */
  start(endpointName: string, variantName: string): InvocationMeter {
    const startedAtMs = performance.now()
    let modelLatencyMs = 0
    let failed: '4xx' | '5xx' | undefined
    return {
      startAttempt: () => {
        const attemptAtMs = performance.now()
        return {
          [Symbol.dispose]: () => {
            modelLatencyMs += performance.now() - attemptAtMs
          },
        }
      },
      recordFailure: (kind) => {
        failed = kind
      },
      recordError: (error) => {
        failed = classify(error)
      },
      [Symbol.dispose]: () => {
        const modelLatencyMicros = Math.round(modelLatencyMs * 1000)
        const totalMicros = Math.round((performance.now() - startedAtMs) * 1000)
        this.record({ endpointName, variantName, failed, modelLatencyMicros, totalMicros })
      },
    }
  }

  record(record: InvocationRecord): void {
    count(this.#totals, record)
    const entry = this.#findOrAdd(record.endpointName, record.variantName)
    count(entry.counters, record)
    entry.hasChanged = true
  }

  totals(): InvocationCounters {
    return { ...this.#totals }
  }

  /** Counters that changed since the previous call. */
  takeChanged(): readonly VariantCounters[] {
    const changed: VariantCounters[] = []
    for (const entry of this.#entryByVariant.values()) {
      if (!entry.hasChanged) continue
      entry.hasChanged = false
      const { endpointName, variantName, counters } = entry
      changed.push({ endpointName, variantName, ...counters })
    }
    return changed
  }

  /** Makes the next {@link takeChanged} name every variant: a new control process knows none. */
  markAllChanged(): void {
    for (const entry of this.#entryByVariant.values()) entry.hasChanged = true
  }

  /** Forgets an endpoint that is gone. */
  forgetEndpoint(endpointName: string): void {
    for (const [key, entry] of this.#entryByVariant) {
      if (entry.endpointName === endpointName) this.#entryByVariant.delete(key)
    }
  }

  #findOrAdd(endpointName: string, variantName: string): VariantEntry {
    const key = `${endpointName}/${variantName}`
    const known = this.#entryByVariant.get(key)
    if (known !== undefined) return known
    const entry = { endpointName, variantName, counters: noCounts(), hasChanged: false }
    this.#entryByVariant.set(key, entry)
    return entry
  }
}

// A model's own status counts under that status, whatever the client sees. Source: data-plane reference §2.5.
function classify(error: unknown): '4xx' | '5xx' {
  if (error instanceof ClientGone) return '4xx'
  if (!isBerthError(error)) return '5xx'
  const original = error.members['OriginalStatusCode']
  const status = typeof original === 'number' ? original : ERRORS[error.code].httpStatus
  return status >= 300 && status < 500 ? '4xx' : '5xx'
}

function noCounts(): MutableCounters {
  return {
    invocationCount: 0,
    error4xxCount: 0,
    error5xxCount: 0,
    modelLatencyMicrosSum: 0,
    overheadMicrosSum: 0,
  }
}

function count(counters: MutableCounters, record: InvocationRecord): void {
  counters.invocationCount += 1
  if (record.failed === '4xx') counters.error4xxCount += 1
  if (record.failed === '5xx') counters.error5xxCount += 1
  counters.modelLatencyMicrosSum += record.modelLatencyMicros
  counters.overheadMicrosSum += Math.max(0, record.totalMicros - record.modelLatencyMicros)
}
