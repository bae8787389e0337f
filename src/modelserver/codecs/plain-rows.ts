import type { Outcome } from './reply.ts'

/** Some of an output's rows: those from `start` up to `end`. */
export interface RowRange {
  readonly start: number
  readonly end: number
}

/**
 * `{"predictions":[[0.1,0.9],…]}` of one float matrix, or of some of its rows, the same text as `reply.ts` writes. That one
 * builds nested arrays through closures: 9 µs instead of 1.4 for a row of 10.
 *
 * @returns ASCII alone; undefined for every other outcome, numbers that JSON does not have included.
 */
export function writePlainRows(
  { outputs, presentation, isColumnar }: Outcome,
  range?: RowRange,
): string | undefined {
  const [output] = outputs
  if (output === undefined || outputs.length !== 1) return undefined
  if (isColumnar || presentation.kind !== 'plain' || output.dims.length !== 2) return undefined
  const { elements } = output
  if (!(elements instanceof Float32Array || elements instanceof Float64Array)) return undefined
  const [rowCount = 0, width = 0] = output.dims
  if (width === 0) return undefined
  const { start, end } = range ?? { start: 0, end: rowCount }
  const rows: number[][] = []
  for (let row = start; row < end; row += 1) {
    const values = readRow(elements, row * width, width)
    if (values === undefined) return undefined
    rows.push(values)
  }
  return JSON.stringify({ predictions: rows })
}

// Made anew for each row: JSON.stringify takes a third longer for an array that was given its length before.
function readRow(
  elements: Float32Array | Float64Array,
  start: number,
  width: number,
): number[] | undefined {
  const values: number[] = []
  for (let index = start; index < start + width; index += 1) {
    const value = elements[index] ?? NaN
    if (!Number.isFinite(value)) return undefined
    values.push(value)
  }
  return values
}
