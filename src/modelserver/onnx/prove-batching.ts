import type { NamedTensor } from '../codecs/tensor.ts'
import { findDifference } from '../compile/find-difference.ts'
import { sampleInputs, seededRandom } from '../compile/sample-inputs.ts'
import { countRows, hasBatchDimension, joinRows, sliceRows } from './batch-rows.ts'
import type { Session } from './session.ts'

const ROW_COUNT = 3
const OPEN_DIM = 4
const SEED = 1

/**
 * Finds out whether the rows of a batch are independent: runs random rows one by one and together, and compares.
 *
 * A model that normalises over the batch, or sums it up, has a batch dimension like any other and must not be given the
 * rows of two callers at once. One that fails on random rows (text it does not know, an index out of its table) cannot be
 * judged and is not batched either.
 *
 * @returns why not, in words; undefined when requests may share a run.
 */
export async function findBatchingObstacle(session: Session): Promise<string | undefined> {
  if (!hasBatchDimension(session.signature)) return 'it has no open batch dimension'
  const shape = { rowCount: ROW_COUNT, openDim: OPEN_DIM }
  const batch = sampleInputs(session.signature, shape, seededRandom(SEED))
  if (batch === undefined) return 'random rows to try it with would be too large'
  try {
    return await compareRows(session, batch)
  } catch (error) {
    return `it fails on random rows: ${error instanceof Error ? error.message : String(error)}`
  }
}

async function compareRows(
  session: Session,
  batch: readonly NamedTensor[],
): Promise<string | undefined> {
  const singles: (readonly NamedTensor[])[] = []
  for (let row = 0; row < ROW_COUNT; row += 1) {
    singles.push(await session.run(sliceRows(batch, row, row + 1)))
  }
  if (singles.some((outputs) => countRows(outputs) !== 1)) return 'one row does not give one row'
  const difference = findDifference(joinRows(singles), await session.run(batch))
  return difference === undefined ? undefined : `rows influence each other: ${difference}`
}
