import type { Signature } from '../codecs/signature.ts'
import { createElements } from '../codecs/tensor.ts'
import type { Elements, ElementType, NamedTensor } from '../codecs/tensor.ts'

/**
 * Whether several requests may be one run by the looks of it: every input and output begins with a dimension that the model
 * leaves open. Whether their rows are also independent is found out by `prove-batching.ts`.
 */
export function hasBatchDimension({ inputs, outputs }: Signature): boolean {
  return [...inputs, ...outputs].every(({ dims }) => typeof dims[0] === 'string')
}

/** Rows of a request; undefined when its inputs do not agree on how many they are. */
export function countRows(tensors: readonly NamedTensor[]): number | undefined {
  const rowCount = tensors[0]?.dims[0]
  return tensors.every(({ dims }) => dims[0] === rowCount) ? rowCount : undefined
}

/** Equal for requests whose rows may follow each other in one tensor. */
export function rowShapeKey(tensors: readonly Pick<NamedTensor, 'dims'>[]): string {
  let key = ''
  for (const { dims } of tensors) {
    for (let axis = 1; axis < dims.length; axis += 1) key += `${dims[axis]},`
    key += ';'
  }
  return key
}

/** The rows of several requests, one behind the other. All have the same inputs and row shapes. */
export function joinRows(requests: readonly (readonly NamedTensor[])[]): readonly NamedTensor[] {
  const [first = [], ...others] = requests
  if (others.length === 0) return first
  return first.map(({ name, type, dims }, position) => {
    const parts = requests.flatMap((request) => request[position] ?? [])
    const rowCount = parts.reduce((sum, part) => sum + (part.dims[0] ?? 0), 0)
    const elements = joinElements(type, parts)
    return { name, type, dims: [rowCount, ...dims.slice(1)], elements }
  })
}

/** Rows `start` to `end` of each tensor; views where elements are numbers. */
export function sliceRows(
  tensors: readonly NamedTensor[],
  start: number,
  end: number,
): readonly NamedTensor[] {
  return tensors.map(({ name, type, dims, elements }) => {
    const rowElements = elements.length / Math.max(1, dims[0] ?? 1)
    const [from, to] = [start * rowElements, end * rowElements]
    const part = Array.isArray(elements) ? elements.slice(from, to) : elements.subarray(from, to)
    return { name, type, dims: [end - start, ...dims.slice(1)], elements: part }
  })
}

function joinElements(type: ElementType, parts: readonly NamedTensor[]): Elements {
  if (type === 'string') return parts.flatMap(({ elements }) => Array.from(elements, String))
  const count = parts.reduce((sum, { elements }) => sum + elements.length, 0)
  const whole = type === 'float32' ? findWhole(parts, count) : undefined
  if (whole !== undefined) return whole
  const joined = createElements(type, count)
  let at = 0
  for (const { elements } of parts) {
    copyInto(joined, elements, at)
    at += elements.length
  }
  return joined
}

// Rows that one `RowScanner` has read one after the other lie so: 16 KB less to take, clear and fill for 64 of 64.
function findWhole(parts: readonly NamedTensor[], count: number): Float32Array | undefined {
  const [first] = parts
  if (!(first?.elements instanceof Float32Array)) return undefined
  const { buffer, byteOffset } = first.elements
  let end = byteOffset
  for (const { elements } of parts) {
    if (!(elements instanceof Float32Array) || elements.buffer !== buffer) return undefined
    if (elements.byteOffset !== end) return undefined
    end += elements.byteLength
  }
  return new Float32Array(buffer, byteOffset, count)
}

function copyInto(target: Elements, source: Elements, at: number): void {
  if (target instanceof BigInt64Array || target instanceof BigUint64Array) {
    if (source instanceof BigInt64Array || source instanceof BigUint64Array) target.set(source, at)
  } else if (!Array.isArray(target) && !Array.isArray(source)) {
    if (!(source instanceof BigInt64Array || source instanceof BigUint64Array)) {
      target.set(source, at)
    }
  }
}
