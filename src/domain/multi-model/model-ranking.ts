import type { EvictionPolicy } from './settings.ts'

const HALF_LIFE_MS_MIN = 60_000
const HALF_LIFE_MS_MAX = 6 * 3_600_000
// How many gaps of a typical model its uses are remembered for.
const HALF_LIFE_GAPS = 2
const GAP_WEIGHT = 0.01
// Models that are gone are remembered, so that one which comes back counts with its past: 100 bytes each.
const REMEMBERED_MAX = 20_000
// Until a model has been loaded once, every reload is taken to cost this.
const COST_MS_START = 20

/** What keeping a model saves, and takes. */
export interface ModelCost {
  /** Memory that its eviction gives back; at least 1. */
  readonly bytes: number
  /** From the tier that would hold it then. */
  readonly reloadMs: number
}

interface Standing {
  uses: number
  usedAtMs: number
  /** {@link ModelRanking.#inflation} when it was last used or came. */
  inflation: number
  bytes: number
  reloadMs: number
}

/**
 * Which models are worth their memory.
 *
 * `gdsf` (GreedyDual-Size-Frequency, Cherkasova 1998) with uses that decay and are remembered after an eviction:
 *
 * ```text
 * H = inflation + uses · reload ms / bytes          inflation: H of the last one evicted
 * ```
 *
 * So a small model that is slow to load stays longer than a large quick one that is used as often; and however often one was
 * used, what is not used any more is overtaken. `lru` orders by the last use alone.
 *
 * Times are of one clock, the caller's.
 */
export class ModelRanking {
  readonly #policy: EvictionPolicy
  readonly #standingByModel = new Map<string, Standing>()
  #inflation = 0
  #gapMs = 0
  #usedAtMs = -Infinity

  constructor(policy: EvictionPolicy) {
    this.#policy = policy
  }

  /** The model was used so often. */
  recordUse(model: string, count: number, nowMs: number): void {
    this.#learnGap(count, nowMs)
    const standing = this.#standingOf(model, nowMs)
    standing.uses = this.#decayed(standing, nowMs) + count
    standing.usedAtMs = nowMs
    standing.inflation = this.#inflation
    // The order of the map is that of the last use: whom to forget first.
    this.#standingByModel.delete(model)
    this.#standingByModel.set(model, standing)
  }

  /** What keeping it saves and takes was measured. */
  recordCost(model: string, { bytes, reloadMs }: ModelCost, nowMs: number): void {
    const standing = this.#standingOf(model, nowMs)
    standing.bytes = Math.max(1, bytes)
    standing.reloadMs = reloadMs
  }

  /** The model's place was taken: whoever comes now begins where it stood. */
  recordEviction(model: string, nowMs: number): void {
    this.#inflation = Math.max(this.#inflation, this.#priorityOf(model, nowMs))
  }

  /** What a reload of it is known or taken to cost. */
  reloadMsOf(model: string): number {
    return this.#standingByModel.get(model)?.reloadMs ?? COST_MS_START
  }

  /** Uses of late: each counts half after the half-life. */
  usesOf(model: string, nowMs: number): number {
    const standing = this.#standingByModel.get(model)
    return standing === undefined ? 0 : this.#decayed(standing, nowMs)
  }

  /** The first that should go, or `undefined` when none may. */
  chooseVictim<M extends { readonly model: string }>(
    evictable: Iterable<M>,
    nowMs: number,
  ): M | undefined {
    let victim: M | undefined
    let least = Infinity
    for (const candidate of evictable) {
      const priority = this.#priorityOf(candidate.model, nowMs)
      if (priority >= least) continue
      victim = candidate
      least = priority
    }
    return victim
  }

  /** Why a model was chosen, for an event. */
  explain(model: string, nowMs: number): Readonly<Record<string, number | string>> {
    const standing = this.#standingByModel.get(model)
    if (standing === undefined) return { policy: this.#policy, uses: 0 }
    return {
      policy: this.#policy,
      uses: round(this.#decayed(standing, nowMs)),
      idleMs: Math.round(nowMs - standing.usedAtMs),
      reloadMs: round(standing.reloadMs),
      bytes: Math.round(standing.bytes),
    }
  }

  #priorityOf(model: string, nowMs: number): number {
    const standing = this.#standingByModel.get(model)
    if (standing === undefined) return -Infinity
    if (this.#policy === 'lru') return standing.usedAtMs
    const { inflation, reloadMs, bytes } = standing
    return inflation + (this.#decayed(standing, nowMs) * reloadMs) / bytes
  }

  #standingOf(model: string, nowMs: number): Standing {
    const known = this.#standingByModel.get(model)
    if (known !== undefined) return known
    if (this.#standingByModel.size >= REMEMBERED_MAX) {
      const [oldest] = this.#standingByModel.keys()
      if (oldest !== undefined) this.#standingByModel.delete(oldest)
    }
    const unknown = { bytes: 1, reloadMs: COST_MS_START, inflation: this.#inflation }
    const standing = { uses: 0, usedAtMs: nowMs, ...unknown }
    this.#standingByModel.set(model, standing)
    return standing
  }

  #learnGap(count: number, nowMs: number): void {
    if (this.#usedAtMs > -Infinity && count > 0) {
      const gapMs = (nowMs - this.#usedAtMs) / count
      this.#gapMs += (this.#gapMs === 0 ? 1 : GAP_WEIGHT) * (gapMs - this.#gapMs)
    }
    this.#usedAtMs = nowMs
  }

  // A typical model's gap: that between any two uses, times the models there are.
  get #halfLifeMs(): number {
    const typicalGapMs = this.#gapMs * this.#standingByModel.size
    return Math.min(HALF_LIFE_MS_MAX, Math.max(HALF_LIFE_MS_MIN, HALF_LIFE_GAPS * typicalGapMs))
  }

  #decayed({ uses, usedAtMs }: Standing, nowMs: number): number {
    return uses * 2 ** (-(nowMs - usedAtMs) / this.#halfLifeMs)
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
