import type { InvocationCounters, VariantCounters } from '../wire/link.ts'

/** One finished invocation. */
export interface InvocationRecord {
  readonly endpointName: string
  /** Undefined when it ended before a variant was chosen. */
  readonly variantName: string | undefined
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

/** Counts invocations since the start of the process, in all and for each variant. */
export class InvocationStats {
  readonly #totals = noCounts()
  readonly #entryByVariant = new Map<string, VariantEntry>()

  record(record: InvocationRecord): void {
    count(this.#totals, record)
    if (record.variantName === undefined) return
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
