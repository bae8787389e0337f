/** One model in an ensemble, and which of the ensemble's tensors are its own. */
export interface EnsembleStep {
  readonly modelName: string
  /** -1: the latest. */
  readonly modelVersion: number
  /** The ensemble's tensor for each input of the model. */
  readonly tensorByInput: Readonly<Record<string, string>>
  /** The ensemble's tensor for each output of the model. */
  readonly tensorByOutput: Readonly<Record<string, string>>
}

/**
 * Chooses the steps without which the wanted outputs cannot be made, by their places in the list.
 *
 * ```text
 * a → s0 → b → s1 → c,  b → s2 → d;  wanted d: s0, s2
 * ```
 */
export function chooseNeededSteps(
  steps: readonly EnsembleStep[],
  wanted: readonly string[],
): ReadonlySet<number> {
  const needed = new Set<number>()
  const tensors = [...wanted]
  for (let tensor = tensors.pop(); tensor !== undefined; tensor = tensors.pop()) {
    for (const [index, step] of steps.entries()) {
      if (needed.has(index) || !Object.values(step.tensorByOutput).includes(tensor)) continue
      needed.add(index)
      tensors.push(...Object.values(step.tensorByInput))
    }
  }
  return needed
}

/** Chooses the steps that can start: needed, not started, and all of their tensors are there. */
export function chooseReadySteps(
  steps: readonly EnsembleStep[],
  needed: ReadonlySet<number>,
  started: ReadonlySet<number>,
  available: { has(tensor: string): boolean },
): readonly number[] {
  return [...needed]
    .filter((index) => !started.has(index))
    .filter((index) =>
      Object.values(steps[index]?.tensorByInput ?? {}).every((tensor) => available.has(tensor)),
    )
    .toSorted((a, b) => a - b)
}

/**
 * The shape of a tensor that goes from one model to another, of which one may batch and the other not: a batch of one
 * loses its dimension, and a tensor without one gets it.
 *
 * @returns undefined when several rows would have to become one.
 */
export function passShape(
  shape: readonly number[],
  isBatchedHere: boolean,
  isBatchedThere: boolean,
): readonly number[] | undefined {
  if (isBatchedHere === isBatchedThere) return shape
  if (isBatchedThere) return [1, ...shape]
  return shape[0] === 1 ? shape.slice(1) : undefined
}
