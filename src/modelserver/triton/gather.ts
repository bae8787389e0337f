import type { Tensor } from '../../wire/oip/tensor.ts'
import { elementCount } from '../../wire/oip/tensor.ts'
import type { InferenceRequest } from './backend.ts'
import type { BatchForm } from './batch-form.ts'
import { batchInputsOf } from './batch-inputs.ts'
import { ServingError } from './serving-error.ts'

/** The inputs of several requests, each followed by that of the next, in one piece of memory. */
export interface Gathered {
  readonly buffer: ArrayBuffer
  readonly inputs: readonly {
    readonly name: string
    readonly datatype: Tensor['datatype']
    readonly shape: readonly number[]
    readonly offset: number
    readonly byteLength: number
  }[]
}

// Where the elements of any type may begin.
const ALIGNMENT = 8

/**
 * Joins the inputs of requests along their first dimension. All have the same inputs and the same other dimensions, but for
 * those that the form lets differ: they become one row of elements.
 */
export function gatherInputs(requests: readonly InferenceRequest[], form?: BatchForm): Gathered {
  const [first] = requests
  if (first === undefined) return { buffer: new ArrayBuffer(0), inputs: [] }
  const joined = first.inputs.map(({ name, datatype, shape }) => {
    const parts = requests.flatMap(
      ({ inputs: given }) => given.find((one) => one.name === name) ?? [],
    )
    const isRagged = form?.raggedInputs.has(name) === true
    const joinedShape = isRagged ? [countElements(parts)] : joinShapes(shape, parts)
    return { name, datatype, shape: joinedShape, parts: parts.map(({ data }) => data) }
  })
  const told = form === undefined ? [] : batchInputsOf(form, requests)
  return place([...joined, ...told.map(({ data, ...tensor }) => ({ ...tensor, parts: [data] }))])
}

function joinShapes(shape: readonly number[], parts: readonly Tensor[]): readonly number[] {
  if (parts.length === 1) return shape
  return [parts.reduce((sum, part) => sum + (part.shape[0] ?? 0), 0), ...shape.slice(1)]
}

function countElements(parts: readonly Tensor[]): number {
  return parts.reduce((sum, { shape }) => sum + elementCount(shape), 0)
}

interface Joined extends Omit<Tensor, 'data'> {
  readonly parts: readonly Uint8Array[]
}

function place(tensors: readonly Joined[]): Gathered {
  let end = 0
  const placed = tensors.map(({ parts, ...tensor }) => {
    const byteLength = parts.reduce((sum, data) => sum + data.byteLength, 0)
    const offset = end
    end = Math.ceil((offset + byteLength) / ALIGNMENT) * ALIGNMENT
    return { ...tensor, offset, byteLength }
  })
  const bytes = new Uint8Array(end)
  for (const [index, { parts }] of tensors.entries()) {
    let at = placed[index]?.offset ?? 0
    for (const data of parts) {
      bytes.set(data, at)
      at += data.byteLength
    }
  }
  return { buffer: bytes.buffer, inputs: placed }
}

/**
 * Gives each request its rows of what a batch gave, as views, and only the outputs that it wants.
 *
 * @throws ServingError INTERNAL: an output has not a row for each row of the batch.
 */
export function scatterOutputs(
  outputs: readonly Tensor[],
  requests: readonly InferenceRequest[],
  form?: BatchForm,
): readonly (readonly Tensor[])[] {
  const cuts = new Map(outputs.map((output) => [output, cut(output, requests, form)]))
  return requests.map(({ requestedOutputs }, index) =>
    outputs
      .filter(({ name }) => requestedOutputs.includes(name))
      .flatMap((output) => cuts.get(output)?.[index] ?? []),
  )
}

function cut(
  output: Tensor,
  requests: readonly InferenceRequest[],
  form: BatchForm | undefined,
): readonly Tensor[] {
  const source = form?.sourceByOutput.get(output.name)
  if (source !== undefined) return cutElements(output, requests, source)
  if (requests.length === 1) return [output]
  return cutRows(
    output,
    requests.map(({ batchSize }) => Math.max(1, batchSize)),
  )
}

// Each request gets as many elements as it gave, in the shape in which it gave them.
function cutElements(
  { name, datatype, shape, data }: Tensor,
  requests: readonly InferenceRequest[],
  source: string,
): readonly Tensor[] {
  const shapes = requests.map(
    ({ inputs }) => inputs.find((input) => input.name === source)?.shape ?? [0],
  )
  const expectedCount = shapes.reduce((sum, one) => sum + elementCount(one), 0)
  const total = elementCount(shape)
  if (total !== expectedCount) {
    throw new ServingError(
      'INTERNAL',
      `failed to split the output tensor '${name}' in responses: expected ${expectedCount} elements, as input ` +
        `'${source}' has, got ${total}`,
      'BACKEND',
    )
  }
  const ends = datatype === 'BYTES' ? endsOfRows(data, [total]) : undefined
  const elementBytes = data.byteLength / Math.max(1, total)
  const endOf = (count: number): number => ends?.[count] ?? count * elementBytes
  let count = 0
  return shapes.map((one) => {
    const start = endOf(count)
    count += elementCount(one)
    return { name, datatype, shape: one, data: data.subarray(start, endOf(count)) }
  })
}

function cutRows(output: Tensor, rowCounts: readonly number[]): readonly Tensor[] {
  const expectedCount = rowCounts.reduce((sum, count) => sum + count, 0)
  const { name, datatype, shape, data } = output
  if (shape[0] !== expectedCount) {
    throw new ServingError(
      'INTERNAL',
      `failed to split the output tensor '${name}' in responses: expected batch size of atleast ` +
        `${expectedCount} in model output, got ${shape[0] ?? 0}`,
      'BACKEND',
    )
  }
  const ends = datatype === 'BYTES' ? endsOfRows(data, shape) : undefined
  const rowBytes = data.byteLength / expectedCount
  const endOf = (row: number): number => (ends === undefined ? row * rowBytes : (ends[row] ?? 0))
  let row = 0
  return rowCounts.map((rowCount) => {
    const start = endOf(row)
    row += rowCount
    const part = data.subarray(start, endOf(row))
    return { name, datatype, shape: [rowCount, ...shape.slice(1)], data: part }
  })
}

// Where each row of texts ends; the first entry is the beginning of all.
function endsOfRows(data: Uint8Array, shape: readonly number[]): readonly number[] {
  const perRow = shape.slice(1).reduce((product, dim) => product * dim, 1)
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const ends = [0]
  let at = 0
  for (let row = 0; row < (shape[0] ?? 0); row += 1) {
    for (let element = 0; element < perRow; element += 1) at += 4 + view.getUint32(at, true)
    ends.push(at)
  }
  return ends
}
