import type { EnsembleStep } from './ensemble.ts'

/** A step that can follow another in the same place, because all that it takes comes from there. */
export interface FollowUpStep {
  /** Its place in the list of steps. */
  readonly index: number
  readonly inputs: readonly FollowUpInput[]
}

/** Where an input of a follow-up comes from. */
export interface FollowUpInput {
  readonly name: string
  /** The step that gives it: the first one, or a follow-up before this one. */
  readonly fromIndex: number
  readonly fromOutput: string
}

/**
 * Plans which steps can follow one of them, in the order in which they can run: those that take nothing but what it, or
 * they themselves, give.
 *
 * ```text
 * a → s0 → b → s1 → c,  b, c → s2 → d,  a, c → s3 → e;  first s0: s1, s2
 * ```
 */
export function planFollowUps(
  steps: readonly EnsembleStep[],
  firstIndex: number,
): readonly FollowUpStep[] {
  const sources = new Map<string, Omit<FollowUpInput, 'name'>>()
  const addOutputs = (index: number): void => {
    for (const [output, tensor] of Object.entries(steps[index]?.tensorByOutput ?? {})) {
      sources.set(tensor, { fromIndex: index, fromOutput: output })
    }
  }
  addOutputs(firstIndex)
  const waiting = new Set(steps.keys())
  waiting.delete(firstIndex)
  const planned: FollowUpStep[] = []
  for (let isMoving = true; isMoving;) {
    isMoving = false
    for (const index of waiting) {
      const wanted = Object.entries(steps[index]?.tensorByInput ?? {})
      const inputs = wanted.flatMap(([name, tensor]) => {
        const source = sources.get(tensor)
        return source === undefined ? [] : { name, ...source }
      })
      if (inputs.length === 0 || inputs.length < wanted.length) continue
      planned.push({ index, inputs })
      addOutputs(index)
      waiting.delete(index)
      isMoving = true
    }
  }
  return planned
}

/**
 * Chooses the follow-ups that are worth it now: whose makers are chosen and which together are short.
 *
 * @param usMax how long they may run together, in microseconds
 * @param foresee how long one would run, in microseconds; undefined when it must not follow
 */
export function chooseFollowUps(
  planned: readonly FollowUpStep[],
  { firstIndex, usMax }: { readonly firstIndex: number; readonly usMax: number },
  foresee: (index: number) => number | undefined,
): readonly FollowUpStep[] {
  const made = new Set([firstIndex])
  let leftUs = usMax
  return planned.filter(({ index, inputs }) => {
    if (!inputs.every(({ fromIndex }) => made.has(fromIndex))) return false
    const runUs = foresee(index)
    if (runUs === undefined || runUs > leftUs) return false
    leftUs -= runUs
    made.add(index)
    return true
  })
}
