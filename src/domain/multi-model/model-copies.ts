import type { ModelCandidate } from './placement.ts'

// What waiting cost long ago says little about what a copy saves now.
const HALF_LIFE_MS = 60_000
// Models whose invocations wait at a time are few; the ones that waited longest ago are forgotten first.
const REMEMBERED_MAX = 10_000

interface Debt {
  readonly waitedMs: number
  readonly atMs: number
}

/** An invocation that was given to an instance. */
export interface PlacedInvocation {
  readonly targetModel: string
  /** What loading the model is expected to take. */
  readonly loadMs: number
  readonly nowMs: number
}

/**
 * When a model is worth a copy on one more instance: once its invocations have waited, at the instances that have it, as long
 * as loading the copy takes.
 *
 * Nobody knows how often a model will be asked for. Paying once what waiting has already cost is never worse than twice the
 * best that could have been done with that knowledge (the ski rental problem: Karlin, Manasse, Rudolph and Sleator, 1988).
 * `chooseModelInstance` alone makes a copy only when a single invocation would wait that long: at the setting of
 * `simulation.test.ts` p99 is 25 to 30 ms then, and 16 ms with this.
 *
 * Times are of one clock, the caller's.
 */
export class ModelCopies {
  readonly #debtByModel = new Map<string, Debt>()

  /**
   * An invocation goes to the instance that was chosen among the candidates.
   *
   * @returns where a copy of its model is due, beside the invocation; the debt is paid then.
   */
  recordChoice<C extends ModelCandidate>(
    chosen: C,
    candidates: readonly C[],
    { targetModel, loadMs, nowMs }: PlacedInvocation,
  ): C | undefined {
    if (chosen.presence !== 'loaded') return undefined
    const spare = leastBusyWithout(candidates)
    // Of what is before it; one that is slow by itself is not relieved by a copy.
    const sparedMs = Math.max(chosen.aloneMs, spare?.serviceMs ?? Infinity)
    const waitMs = chosen.serviceMs - sparedMs
    if (waitMs <= 0) return undefined
    const { waitedMs, atMs } = this.#debtByModel.get(targetModel) ?? { waitedMs: 0, atMs: nowMs }
    const owedMs = waitedMs * 2 ** (-(nowMs - atMs) / HALF_LIFE_MS) + waitMs
    this.#debtByModel.delete(targetModel)
    if (owedMs >= loadMs) return spare
    if (this.#debtByModel.size >= REMEMBERED_MAX) {
      const [oldest = ''] = this.#debtByModel.keys()
      this.#debtByModel.delete(oldest)
    }
    this.#debtByModel.set(targetModel, { waitedMs: owedMs, atMs: nowMs })
    return undefined
  }
}

// Its loader must be idle: who waits for a model that is nowhere comes before a copy.
function leastBusyWithout<C extends ModelCandidate>(candidates: readonly C[]): C | undefined {
  let least: C | undefined
  for (const candidate of candidates) {
    if (candidate.presence !== 'absent' || candidate.loaderMs > 0) continue
    if (least === undefined || candidate.serviceMs < least.serviceMs) least = candidate
  }
  return least
}
