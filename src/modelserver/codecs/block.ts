import { CastFailure, startElements } from './cast.ts'
import type { Origin } from './cast.ts'
import type { Dim, Port } from './signature.ts'
import { countElements } from './tensor.ts'
import type { NamedTensor } from './tensor.ts'

/** Values given for one input, flat in row-major order, before they have the input's type and shape. */
export interface Block {
  readonly dims: readonly number[]
  readonly values: ArrayLike<unknown>
  readonly origin: Origin
}

/** Why values do not fit an input; the caller adds the model's signature. */
export class FitFailure extends Error {}

// JSON.parse accepts any depth its stack allows; no tensor has as many dimensions.
const RANK_MAX = 32

/**
 * Flattens nested arrays, e.g. `[[1, 2], [3, 4]]` to dims [2, 2].
 *
 * @throws FitFailure: the arrays are ragged, or hold an object.
 */
export function flatten(nested: unknown): Block {
  const dims: number[] = []
  for (let level = nested; Array.isArray(level); level = level[0]) {
    if (dims.length === RANK_MAX)
      throw new FitFailure(`arrays are nested more than ${RANK_MAX} deep`)
    dims.push(level.length)
  }
  const values: unknown[] = []
  collect(nested, 0, { dims, values })
  return { dims, values, origin: 'json' }
}

function collect(value: unknown, depth: number, into: { dims: number[]; values: unknown[] }): void {
  const expected = into.dims[depth]
  if (!Array.isArray(value)) {
    if (expected !== undefined) throw new FitFailure('rows have different numbers of dimensions')
    if (typeof value === 'object' && value !== null)
      throw new FitFailure('an object stands where a value should')
    into.values.push(value)
    return
  }
  if (expected === undefined) throw new FitFailure('rows have different numbers of dimensions')
  if (value.length !== expected) {
    throw new FitFailure(`rows have different lengths (${expected} and ${value.length})`)
  }
  for (const item of value) collect(item, depth + 1, into)
}

/** What a block may be taken for besides rows. */
export interface Leniency {
  /** Whether values that are exactly one row may come without the array around it. */
  readonly canBeOneRow: boolean
}

/**
 * Turns values into an input's tensor: reshapes where the element counts agree, casts, range-checks.
 *
 * @throws FitFailure: shape, type or range does not fit.
 */
export function fitBlock(block: Block, port: Port, leniency: Leniency): NamedTensor {
  const dims = fitDims(block.dims, port.dims, leniency)
  if (dims === undefined) {
    throw new FitFailure(`${port.name} was given shape [${block.dims.join(', ')}]`)
  }
  const { values, origin } = block
  const filling = startElements(port.type, values.length, origin)
  let index = 0
  try {
    for (; index < values.length; index += 1) filling.put(index, values[index])
  } catch (error) {
    if (!(error instanceof CastFailure)) throw error
    throw new FitFailure(`${port.name} ${placeOf(index, dims)}: ${error.message}`)
  }
  return { name: port.name, type: port.type, dims, elements: filling.elements }
}

/**
 * The shape to feed, or `undefined` when the given one cannot be meant.
 *
 * | given | model | fed |
 * |---|---|---|
 * | [2, 64] | [N, 1, 8, 8] | [2, 1, 8, 8]: the same count in every row |
 * | [2, 8, 8] | [N, 64] | [2, 64] |
 * | [5] | [N, 1] | [5, 1] |
 * | [64] | [N, 64] | [1, 64], only where one row may come bare |
 * | [3, 7] | [N, length] | as given |
 * | [2, 3] | [1, 3] | none: the model takes exactly one row |
 */
export function fitDims(
  given: readonly number[],
  model: readonly Dim[],
  leniency: Leniency,
): readonly number[] | undefined {
  // A rank of 0 is a scalar or an input that declares no shape: the runtime is the one to judge.
  if (model.length === 0) return given
  if (given.length === model.length && given.every((dim, axis) => meets(dim, model[axis])))
    return given
  const trailing = model.slice(1)
  if (!trailing.every((dim) => typeof dim === 'number')) return undefined
  const rowElements = countElements(trailing)
  const rowCount = given[0] ?? 1
  if (meets(rowCount, model[0]) && countElements(given) === rowCount * rowElements) {
    return [rowCount, ...trailing]
  }
  if (leniency.canBeOneRow && meets(1, model[0]) && countElements(given) === rowElements) {
    return [1, ...trailing]
  }
  return undefined
}

function meets(dim: number, declared: Dim | undefined): boolean {
  return typeof declared === 'string' || declared === dim
}

function placeOf(index: number, dims: readonly number[]): string {
  const rowElements = countElements(dims.slice(1))
  if (dims.length === 0 || rowElements === 0) return 'value'
  const row = Math.floor(index / rowElements) + 1
  return rowElements === 1 ? `row ${row}` : `row ${row} value ${(index % rowElements) + 1}`
}
