import type { Buffer } from 'node:buffer'
import { fieldsOf } from '../onnx/outline.ts'
import { ProtobufError, textOf, walkFields } from '../onnx/protobuf.ts'
import type { ByteSource, Field } from '../onnx/protobuf.ts'
import { Rejection } from '../rejection.ts'
import type { SparseRows } from './sparse.ts'

/*
 * RecordIO of Amazon's algorithms: u32 magic · u32 bytes · a Record · padding to four bytes, all little-endian.
 *
 *   Record { map<string, Value> features = 1; map<string, Value> label = 2; … }
 *   Value { Float32 = 2 | Float64 = 3 | Int32 = 7 | Bytes = 9 }
 *   tensor { values = 1; keys = 2; shape = 3 }          keys: the columns, where the row is sparse
 */

export const MAGIC = 0xced7230a
export const LABEL = 2
export const TENSOR = { values: 1, keys: 2, shape: 3 } as const
/** Fields of a Value, one of which it has. */
export const VALUE_TYPE = { float32: 2, float64: 3, int32: 7, bytes: 9 } as const

const FEATURES = 1
const KEY = 1
const VALUE = 2
const TYPE_BY_FIELD: ReadonlyMap<number, 'float32' | 'float64' | 'int32'> = new Map([
  [VALUE_TYPE.float32, 'float32'],
  [VALUE_TYPE.float64, 'float64'],
  [VALUE_TYPE.int32, 'int32'],
])

/** One row of a body. */
interface RecordRow {
  readonly values: readonly number[]
  readonly columns: readonly number[] | undefined
  readonly width: number | undefined
}

/**
 * Parses `application/x-recordio-protobuf`: one row a record, dense or sparse. Labels are passed over.
 *
 * @throws Rejection 400: not RecordIO, not a Record, without features, or of rows of different widths.
 */
export function parseRecordio(body: Buffer): SparseRows {
  const rows = [...records(body)].map((record, index) => readRow(record, index + 1))
  const widths = new Set(rows.map(({ width }) => width).filter((width) => width !== undefined))
  if (widths.size > 1) {
    throw new Rejection(400, `The records have rows of ${[...widths].join(' and ')} values.`)
  }
  return {
    rowCount: rows.length,
    columnCount: [...widths][0],
    rows: rows.flatMap(({ values }, row) => values.map(() => row)),
    columns: rows.flatMap(({ values, columns }) => columns ?? values.map((_, column) => column)),
    values: rows.flatMap(({ values }) => values),
  }
}

function* records(body: Buffer): Generator<Buffer> {
  let at = 0
  while (at < body.length) {
    const isWhole = at + 8 <= body.length && body.readUInt32LE(at) === MAGIC
    const byteLength = isWhole ? body.readUInt32LE(at + 4) : 0
    const end = at + 8 + byteLength
    if (!isWhole || end > body.length) {
      throw new Rejection(400, `The body is not RecordIO: byte ${at} does not begin a record.`)
    }
    yield body.subarray(at + 8, end)
    at = end + ((4 - (byteLength % 4)) % 4)
  }
}

function readRow(record: Buffer, number: number): RecordRow {
  try {
    const source = sourceOf(record)
    const features = [...walkFields(source, 0, record.length)]
      .filter((field) => field.number === FEATURES)
      .map((entry) => [...fieldsOf(source, entry)])
    const isValues = (entry: readonly Field[]): boolean =>
      entry.some((field) => field.number === KEY && textOf(source, field) === 'values')
    const chosen = features.find(isValues) ?? (features.length === 1 ? features[0] : undefined)
    const value = chosen?.find((field) => field.number === VALUE)
    if (value === undefined) {
      throw new Rejection(400, `Record ${number} has no features named values.`)
    }
    return readTensor(record, source, value)
  } catch (error) {
    if (!(error instanceof ProtobufError || error instanceof RangeError)) throw error
    throw new Rejection(400, `Record ${number} is not a protobuf Record: ${error.message}.`)
  }
}

function readTensor(record: Buffer, source: ByteSource, value: Field): RecordRow {
  for (const tensor of fieldsOf(source, value)) {
    const type = TYPE_BY_FIELD.get(tensor.number)
    if (type === undefined) continue
    const fields = [...fieldsOf(source, tensor)]
    const payloads = (number: number): Buffer[] =>
      fields
        .filter((field) => field.number === number)
        .map(({ payload }) => record.subarray(payload.start, payload.end))
    const values = payloads(TENSOR.values).flatMap((bytes) => readNumbers(bytes, type))
    const keys = payloads(TENSOR.keys).flatMap(readVarints)
    const [width] = payloads(TENSOR.shape).flatMap(readVarints)
    // A sparse row of zeros alone has neither keys nor values, only its shape.
    const isSparse = keys.length > 0 || (values.length === 0 && width !== undefined)
    if (!isSparse) return { values, columns: undefined, width: values.length }
    if (keys.length !== values.length) {
      throw new ProtobufError(`it has ${values.length} values and ${keys.length} keys`)
    }
    return { values, columns: keys, width }
  }
  throw new ProtobufError('its features are no tensor of numbers')
}

function readNumbers(bytes: Buffer, type: 'float32' | 'float64' | 'int32'): number[] {
  if (type === 'int32') return readVarints(bytes).map((value) => value | 0)
  const width = type === 'float32' ? 4 : 8
  return Array.from({ length: Math.floor(bytes.length / width) }, (_, index) =>
    width === 4 ? bytes.readFloatLE(index * 4) : bytes.readDoubleLE(index * 8),
  )
}

function readVarints(bytes: Buffer): number[] {
  const values: number[] = []
  let value = 0n
  let shift = 0n
  for (const byte of bytes) {
    value |= BigInt(byte & 0x7f) << shift
    shift += 7n
    if (byte >= 0x80) continue
    values.push(Number(BigInt.asIntN(64, value)))
    value = 0n
    shift = 0n
  }
  return values
}

function sourceOf(bytes: Buffer): ByteSource {
  return {
    byteLength: bytes.length,
    read: (offset, byteLength) => bytes.subarray(offset, offset + byteLength),
  }
}
