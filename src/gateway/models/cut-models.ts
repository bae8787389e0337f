import type { CutModel } from '../../domain/multi-model/model-messages.ts'
import type { ModelHome } from './model-home.ts'

// Control asks within milliseconds of a process's end, unless its machine has none left.
const KEPT_MS = 30_000
const KEPT_MAX = 1_000

/** What was under way at instances whose connections broke: kept for the case that control asks, since a process ended. */
export class CutModels {
  readonly #cutAtMsByHome = new Map<ModelHome, number>()
  readonly #nowMs: () => number

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** The connection to the container broke beneath an invocation of the model. */
  record(home: ModelHome): void {
    const nowMs = this.#nowMs()
    for (const [old, cutAtMs] of this.#cutAtMsByHome) {
      const isKept = nowMs - cutAtMs < KEPT_MS && this.#cutAtMsByHome.size < KEPT_MAX
      if (isKept) break
      this.#cutAtMsByHome.delete(old)
    }
    this.#cutAtMsByHome.delete(home)
    this.#cutAtMsByHome.set(home, nowMs)
  }

  /**
   * What was under way at the instance when its process ended.
   *
   * @param homes models that may still be there as far as this gateway has noticed: what they have outstanding is lost.
   */
  take(instanceId: string, homes: Iterable<ModelHome>): readonly CutModel[] {
    const nowMs = this.#nowMs()
    const cut = new Map<string, CutModel>()
    const add = ({ targetModel, answeredCount }: ModelHome): void => {
      cut.set(targetModel, { targetModel, answeredCount })
    }
    for (const [home, cutAtMs] of this.#cutAtMsByHome) {
      if (home.instanceId !== instanceId) continue
      this.#cutAtMsByHome.delete(home)
      if (nowMs - cutAtMs < KEPT_MS) add(home)
    }
    for (const home of homes) {
      if (home.instanceId === instanceId && home.outstandingCount > 0) add(home)
    }
    return [...cut.values()]
  }
}
