import type { EnsembleStep } from '../../domain/ensemble.ts'
import { chooseFollowUps, planFollowUps } from '../../domain/follow-ups.ts'
import type { FollowUpStep } from '../../domain/follow-ups.ts'
import type { FollowUp, NextRuns } from './backend.ts'
import type { ModelConfig } from './model-config.ts'
import type { ServedVersion } from './served-version.ts'

/** What the follow-ups of a step are found with. */
export interface FollowUpOptions {
  readonly steps: readonly EnsembleStep[]
  /** Place of the step that they follow. */
  readonly firstIndex: number
  /** How long they may run together, in microseconds. */
  readonly usMax: number
  /** Finds the version that serves a step now. @throws ServingError */
  readonly find: (step: EnsembleStep) => ServedVersion
}

/** What an ensemble does with the outputs of one of its steps. */
export class FollowUps implements NextRuns {
  readonly #options: FollowUpOptions
  readonly #planned: readonly FollowUpStep[]

  constructor(options: FollowUpOptions) {
    this.#options = options
    this.#planned = planFollowUps(options.steps, options.firstIndex)
  }

  get isEmpty(): boolean {
    return this.#planned.length === 0
  }

  choose(rowCounts: readonly number[]): readonly FollowUp[] {
    const served = new Map<number, ServedVersion>()
    const { steps, firstIndex } = this.#options
    const first = this.#findStep(firstIndex)
    if (first === undefined) return []
    const chosen = chooseFollowUps(this.#planned, this.#options, (index) => {
      const next = this.#findStep(index)
      if (next?.loaded?.followUpModel === undefined) return undefined
      if (!isPassedAsItIs(first.config, next.config)) return undefined
      served.set(index, next)
      return next.runner.foresee?.(rowCounts)
    })
    const places = new Map(chosen.map(({ index }, place) => [index, place]))
    return chosen.flatMap(({ index, inputs }): FollowUp | readonly [] => {
      const model = served.get(index)?.loaded?.followUpModel
      if (model === undefined) return []
      const outputNames = Object.keys(steps[index]?.tensorByOutput ?? {})
      const sources = inputs.map(({ name, fromIndex, fromOutput }) => {
        return { name, from: places.get(fromIndex) ?? -1, output: fromOutput }
      })
      return { model, inputs: sources, outputNames }
    })
  }

  #findStep(index: number): ServedVersion | undefined {
    const step = this.#options.steps[index]
    try {
      return step && this.#options.find(step)
    } catch {
      return undefined
    }
  }
}

// What comes or goes between two models in the main thread would have to be done in theirs as well.
function isPassedAsItIs(here: ModelConfig, there: ModelConfig): boolean {
  if (here.maxBatchSize > 0 !== there.maxBatchSize > 0) return false
  const ports = [...there.inputs, ...here.outputs]
  return ports.every(({ reshape }) => reshape === undefined)
}
