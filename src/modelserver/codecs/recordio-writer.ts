import { Buffer } from 'node:buffer'
import { encodeField, encodeVarint } from '../onnx/protobuf.ts'
import { Rejection } from '../rejection.ts'
import { LABEL, MAGIC, TENSOR, VALUE_TYPE } from './recordio.ts'
import { countElements } from './tensor.ts'
import type { NamedTensor, NumberArray } from './tensor.ts'

const KEY = 1
const VALUE = 2
const BYTES = { value: 1, contentType: 2 } as const

/**
 * Writes `application/x-recordio-protobuf`, one record a row of the outputs: `label[name]` holds an output's values of that row, as
 * in the replies of Amazon's algorithms. Rows of rank 2 and more name their shape.
 *
 * A Record has no integers wider than 32 bits, so those are float64; text is `bytes`.
 *
 * @param outputs all of the same number of rows.
 * @throws Rejection 406: an integer beyond 2^53, which float64 would change.
 */
export function encodeRecordio(outputs: readonly NamedTensor[], rowCount: number): Buffer {
  const encoders = outputs.map((output) => ({
    name: output.name,
    encodeRow: createRowEncoder(output, rowCount),
  }))
  const records = Array.from({ length: rowCount }, (_, row) => {
    const entries = encoders.map(({ name, encodeRow }) => {
      const value = encodeField(VALUE, encodeRow(row))
      return encodeField(LABEL, Buffer.concat([encodeField(KEY, name), value]))
    })
    return frame(Buffer.concat(entries))
  })
  return Buffer.concat(records)
}

function frame(record: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32LE(MAGIC, 0)
  head.writeUInt32LE(record.length, 4)
  return Buffer.concat([head, record, Buffer.alloc((4 - (record.length % 4)) % 4)])
}

/** Gives a row of an output as a Value. */
function createRowEncoder(output: NamedTensor, rowCount: number): (row: number) => Buffer {
  const { name, elements, dims } = output
  const width = rowCount === 0 ? 0 : countElements(dims) / rowCount
  if (Array.isArray(elements)) {
    return (row) => encodeTexts(elements.slice(row * width, (row + 1) * width))
  }
  const { field, encodeValues } = chooseValueType(output)
  const rowDims = dims.slice(1)
  const shape =
    rowDims.length < 2
      ? Buffer.alloc(0)
      : encodeField(TENSOR.shape, Buffer.concat(rowDims.map(encodeVarint)))
  const numbers =
    elements instanceof BigInt64Array || elements instanceof BigUint64Array
      ? toExactNumbers(name, elements)
      : elements
  return (row) => {
    const values = encodeValues(numbers.subarray(row * width, (row + 1) * width))
    return encodeField(field, Buffer.concat([encodeField(TENSOR.values, values), shape]))
  }
}

interface ValueType {
  readonly field: number
  readonly encodeValues: (values: NumberArray) => Buffer
}

function chooseValueType({ type }: NamedTensor): ValueType {
  switch (type) {
    case 'float16':
    case 'float32':
      return { field: VALUE_TYPE.float32, encodeValues: encodeFloats }
    case 'float64':
    case 'uint32':
    case 'int64':
    case 'uint64':
    case 'string':
      return { field: VALUE_TYPE.float64, encodeValues: encodeDoubles }
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'bool':
      return { field: VALUE_TYPE.int32, encodeValues: encodeIntegers }
  }
}

function encodeFloats(values: NumberArray): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, index) => bytes.writeFloatLE(value, index * 4))
  return bytes
}

function encodeDoubles(values: NumberArray): Buffer {
  const bytes = Buffer.alloc(values.length * 8)
  values.forEach((value, index) => bytes.writeDoubleLE(value, index * 8))
  return bytes
}

function encodeIntegers(values: NumberArray): Buffer {
  return Buffer.concat(Array.from(values, encodeVarint))
}

function encodeTexts(texts: readonly string[]): Buffer {
  const values = texts.map((text) => encodeField(BYTES.value, text))
  const contentType = encodeField(BYTES.contentType, 'text/plain; charset=utf-8')
  return encodeField(VALUE_TYPE.bytes, Buffer.concat([...values, contentType]))
}

function toExactNumbers(name: string, elements: BigInt64Array | BigUint64Array): Float64Array {
  return Float64Array.from(elements, (element) => {
    const number = Number(element)
    if (Number.isSafeInteger(number)) return number
    throw new Rejection(
      406,
      `${name} has ${element}: RecordIO has no 64-bit integers, and as float64 it would change. Accept another type.`,
    )
  })
}
