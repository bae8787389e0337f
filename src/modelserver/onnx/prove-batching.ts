import type { NamedTensor } from '../codecs/tensor.ts'
import { findDifference } from '../compile/find-difference.ts'
import { sampleInputs, seededRandom } from '../compile/sample-inputs.ts'
import { countRows, hasBatchDimension, joinRows, sliceRows } from './batch-rows.ts'
import type { Session } from './session.ts'

const ROW_COUNT = 3
const OPEN_DIM = 4
const SEED = 1

/** Whether requests may share a run; `unknown` when these rows could not tell. */
export type BatchingVerdict =
  | { readonly kind: 'batched' }
  | { readonly kind: 'not-batched' | 'unknown'; readonly reason: string }

/**
 * Finds out whether the rows of a batch are independent: runs random rows one by one and together, and compares.
 *
 * A model that normalises over the batch, or sums it up, has a batch dimension like any other and must not be given the
 * rows of two callers at once. One that fails on random rows (text it does not know, an index out of its table) is to be
 * judged by {@link judgeByRows} of its own callers.
 */
export async function judgeBatching(session: Session): Promise<BatchingVerdict> {
  if (!hasBatchDimension(session.signature)) {
    return { kind: 'not-batched', reason: 'it has no open batch dimension' }
  }
  const shape = { rowCount: ROW_COUNT, openDim: OPEN_DIM }
  const batch = sampleInputs(session.signature, shape, seededRandom(SEED))
  if (batch === undefined) {
    return { kind: 'unknown', reason: 'random rows to try it with would be too large' }
  }
  return judgeByRows(session, batch)
}

/** The same with given rows, which tell nothing unless they differ. */
export async function judgeByRows(
  session: Session,
  batch: readonly NamedTensor[],
): Promise<BatchingVerdict> {
  const rowCount = countRows(batch) ?? 0
  const rows = Array.from({ length: rowCount }, (_, row) => sliceRows(batch, row, row + 1))
  if (rows.every((row) => isSame(row, rows[0]))) return { kind: 'unknown', reason: 'equal rows' }
  try {
    const singles: (readonly NamedTensor[])[] = []
    for (const row of rows) singles.push(await session.run(row))
    if (singles.some((outputs) => countRows(outputs) !== 1)) {
      return { kind: 'not-batched', reason: 'one row does not give one row' }
    }
    const difference = findDifference(joinRows(singles), await session.run(batch))
    if (difference === undefined) return { kind: 'batched' }
    return { kind: 'not-batched', reason: `rows influence each other: ${difference}` }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { kind: 'unknown', reason: `it fails on the rows it was tried with: ${reason}` }
  }
}

function isSame(row: readonly NamedTensor[], other: readonly NamedTensor[] | undefined): boolean {
  return row.every(({ elements }, position) => {
    const given = other?.[position]?.elements
    return elements.length === given?.length && elements.every((one, at) => one === given[at])
  })
}
