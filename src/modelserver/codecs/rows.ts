import type { Elements, Tensor } from './tensor.ts'
import { countElements } from './tensor.ts'

/** A value of a JSON reply. */
export type JsonValue = JsonScalar | JsonValue[] | { [name: string]: JsonValue }

type JsonScalar = string | number | boolean

/**
 * A tensor as nested arrays.
 *
 * NaN and the infinities are the strings "NaN", "Infinity", "-Infinity" (JSON has no such numbers and `null`
 * would lose which it was); integers beyond 2^53 are strings too. Both are read back in requests.
 */
export function nest(tensor: Tensor): JsonValue {
  return nestPart(tensor, 0, 0, countElements(tensor.dims))
}

/** The rows of a tensor: its slices along the first dimension; a scalar is one row. */
export function nestRows(tensor: Tensor): JsonValue[] {
  const nested = nest(tensor)
  return Array.isArray(nested) ? nested : [nested]
}

function nestPart(tensor: Tensor, axis: number, start: number, count: number): JsonValue {
  const dim = tensor.dims[axis]
  if (dim === undefined) return elementAt(tensor, start)
  const step = dim === 0 ? 0 : count / dim
  return Array.from({ length: dim }, (_, index) =>
    nestPart(tensor, axis + 1, start + index * step, step),
  )
}

function elementAt({ elements, type }: Tensor, index: number): JsonScalar {
  const element = readElement(elements, index)
  if (type === 'bool') return element === 1
  if (typeof element === 'bigint') {
    const number = Number(element)
    return Number.isSafeInteger(number) ? number : String(element)
  }
  if (typeof element === 'number' && !Number.isFinite(element)) return String(element)
  return element
}

/** One element as CSV text. */
export function textAt(tensor: Tensor, index: number): string {
  return String(elementAt(tensor, index))
}

function readElement(elements: Elements, index: number): string | number | bigint {
  return elements[index] ?? 0
}
