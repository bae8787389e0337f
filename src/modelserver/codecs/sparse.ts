import { Rejection } from '../rejection.ts'
import { FitFailure } from './block.ts'
import type { Block } from './block.ts'

/** Rows of which only some values are given, as LIBSVM, sparse npz and RecordIO bodies have them. */
export interface SparseRows {
  readonly rowCount: number
  /** How many values a whole row has, where the body says it. */
  readonly columnCount: number | undefined
  /** Entry by entry: its row, its column from 0, its value. All three of one length. */
  readonly rows: ArrayLike<number>
  readonly columns: ArrayLike<number>
  readonly values: ArrayLike<number>
}

/** A body of a few bytes can announce any shape: as float64 this is 128 MB, far above what a body of 25 MB can fill. */
export const VALUES_MAX = 2 ** 24

/**
 * Writes sparse rows out, with 0 for what is not given. Values for the same place are added up, as scipy does.
 *
 * @param width values in a row of the model's input; undefined when the model leaves it open.
 * @throws FitFailure: the rows have another width, or none is known; entries have no place in them.
 * @throws Rejection 413: the dense rows would be too many values.
 */
export function densify(sparse: SparseRows, width: number | undefined): Block {
  const { rowCount, columnCount, rows, columns, values } = sparse
  const expected = width ?? columnCount
  if (expected === undefined) {
    throw new FitFailure(
      'the body does not say how many values a row has, and neither does the model',
    )
  }
  if (columnCount !== undefined && columnCount !== expected) {
    throw new FitFailure(`rows have ${columnCount} values, and the model takes ${expected}`)
  }
  if (rowCount * expected > VALUES_MAX) {
    const size = `${rowCount} rows of ${expected} values`
    throw new Rejection(
      413,
      `The body stands for ${size}; at most ${VALUES_MAX} values are served.`,
    )
  }
  if (rows.length !== values.length || columns.length !== values.length) {
    const places = `${rows.length} rows and ${columns.length} columns`
    throw new FitFailure(`there are ${values.length} values, and for them ${places}`)
  }
  const dense = new Float64Array(rowCount * expected)
  for (let index = 0; index < values.length; index += 1) {
    const row = rows[index] ?? NaN
    const column = columns[index] ?? NaN
    if (!isIndex(row, rowCount) || !isIndex(column, expected)) {
      const place = `row ${row + 1} has a value in column ${column + 1}`
      throw new FitFailure(`${place}, and there are ${rowCount} rows of ${expected} values`)
    }
    const at = row * expected + column
    dense[at] = (dense[at] ?? 0) + (values[index] ?? 0)
  }
  return { dims: [rowCount, expected], values: dense, origin: 'numbers' }
}

function isIndex(value: number, count: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < count
}
