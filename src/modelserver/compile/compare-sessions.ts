import type { NamedTensor } from '../codecs/tensor.ts'
import type { Session } from '../onnx/session.ts'
import { findDifference } from './find-difference.ts'
import { Refusal } from './refusal.ts'
import { sampleInputs, seededRandom } from './sample-inputs.ts'

// Open dimensions other than rows: a length of text, a side of an image. The first that the model takes is used.
const OPEN_DIMS = [8, 1, 64, 224, 256]
const ROW_COUNTS = [1, 8]
const SEEDS = [1, 2, 3]
const TIMED_RUNS = 5

/** Inputs that the model takes, and what it answered. */
export interface Sample {
  readonly inputs: readonly NamedTensor[]
  readonly outputs: readonly NamedTensor[]
}

/**
 * What the original answers to random inputs, of one row and of a batch.
 *
 * @throws Refusal: it takes none of the shapes that were tried, so that nothing could be compared.
 */
export async function sampleOutputs(original: Session): Promise<readonly Sample[]> {
  let lastProblem = 'its inputs would be too large'
  for (const openDim of OPEN_DIMS) {
    const samples: Sample[] = []
    for (const seed of SEEDS) {
      const rowCount = ROW_COUNTS[seed % ROW_COUNTS.length] ?? 1
      const inputs = sampleInputs(original.signature, { rowCount, openDim }, seededRandom(seed))
      if (inputs === undefined) break
      try {
        samples.push({ inputs, outputs: await original.run(inputs) })
      } catch (error) {
        lastProblem = error instanceof Error ? error.message : String(error)
        break
      }
    }
    if (samples.length < SEEDS.length) continue
    await assertSameTwice(original, samples)
    return samples
  }
  const why = lastProblem.replaceAll(/\s+/g, ' ').slice(0, 200)
  throw new Refusal(`it could not be compared with its optimised form on random inputs (${why})`)
}

// With chance in it, equal outputs would prove nothing.
async function assertSameTwice(original: Session, samples: readonly Sample[]): Promise<void> {
  for (const { inputs, outputs } of samples.slice(0, 1)) {
    const difference = findDifference(outputs, await original.run(inputs))
    if (difference === undefined) continue
    throw new Refusal(`it answers the same input differently each time: ${difference}`)
  }
}

/** @throws Refusal: the candidate takes or gives something else than the original. */
export async function assertSameOutputs(
  original: Session,
  samples: readonly Sample[],
  candidate: Session,
): Promise<void> {
  if (JSON.stringify(original.signature) !== JSON.stringify(candidate.signature)) {
    throw new Refusal('its optimised form takes other inputs or gives other outputs')
  }
  for (const { inputs, outputs } of samples) {
    const difference = findDifference(outputs, await candidate.run(inputs))
    if (difference === undefined) continue
    throw new Refusal(`its optimised form does not answer as it does: ${difference}`)
  }
}

/** The least time of a few runs of the largest sample: what else the machine does only adds to it. */
export async function measureRunMs(session: Session, samples: readonly Sample[]): Promise<number> {
  const sizeOf = ({ inputs }: Sample): number =>
    inputs.reduce((sum, { elements }) => sum + elements.length, 0)
  const [largest] = samples.toSorted((a, b) => sizeOf(b) - sizeOf(a))
  let leastMs = Infinity
  for (let run = 0; largest !== undefined && run < TIMED_RUNS; run += 1) {
    const startedAtMs = performance.now()
    await session.run(largest.inputs)
    leastMs = Math.min(leastMs, performance.now() - startedAtMs)
  }
  return leastMs
}
