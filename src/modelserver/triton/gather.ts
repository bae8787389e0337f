import type { Tensor } from '../../wire/oip/tensor.ts'
import type { InferenceRequest } from './backend.ts'
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

/** Joins the inputs of requests along their first dimension. All have the same inputs and the same other dimensions. */
export function gatherInputs(requests: readonly InferenceRequest[]): Gathered {
  const [first] = requests
  if (first === undefined) return { buffer: new ArrayBuffer(0), inputs: [] }
  let end = 0
  const inputs = first.inputs.map(({ name, datatype, shape }) => {
    const parts = requests.flatMap(
      ({ inputs: given }) => given.find((one) => one.name === name) ?? [],
    )
    const byteLength = parts.reduce((sum, { data }) => sum + data.byteLength, 0)
    const offset = end
    end = Math.ceil((offset + byteLength) / ALIGNMENT) * ALIGNMENT
    const rowCount = parts.reduce((sum, part) => sum + (part.shape[0] ?? 0), 0)
    const joinedShape = parts.length > 1 ? [rowCount, ...shape.slice(1)] : shape
    return { name, datatype, shape: joinedShape, offset, byteLength, parts }
  })
  const bytes = new Uint8Array(end)
  for (const { offset, parts } of inputs) {
    let at = offset
    for (const { data } of parts) {
      bytes.set(data, at)
      at += data.byteLength
    }
  }
  return { buffer: bytes.buffer, inputs: inputs.map(({ parts: _parts, ...placed }) => placed) }
}

/**
 * Gives each request its rows of what a batch gave, as views, and only the outputs that it wants.
 *
 * @throws ServingError INTERNAL: an output has not a row for each row of the batch.
 */
export function scatterOutputs(
  outputs: readonly Tensor[],
  requests: readonly InferenceRequest[],
): readonly (readonly Tensor[])[] {
  const cuts = requests.length === 1 ? undefined : new Map<Tensor, readonly Tensor[]>()
  const rowCounts = requests.map(({ batchSize }) => Math.max(1, batchSize))
  if (cuts !== undefined) for (const output of outputs) cuts.set(output, cutRows(output, rowCounts))
  return requests.map(({ requestedOutputs }, index) =>
    outputs
      .filter(({ name }) => requestedOutputs.includes(name))
      .flatMap((output) => (cuts === undefined ? output : (cuts.get(output)?.[index] ?? []))),
  )
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
