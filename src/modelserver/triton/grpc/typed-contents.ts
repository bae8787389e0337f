import { Buffer } from 'node:buffer'
import { joinBytes } from '../../../wire/oip/tensor.ts'
import type { Datatype } from '../../../wire/oip/tensor.ts'
import { isRecord } from '../http/json-body.ts'

/** The field of typed contents that elements of a datatype are in; FP16 and BF16 have none. */
const FIELDS: Readonly<Partial<Record<Datatype, string>>> = {
  BOOL: 'bool_contents',
  INT8: 'int_contents',
  INT16: 'int_contents',
  INT32: 'int_contents',
  INT64: 'int64_contents',
  UINT8: 'uint_contents',
  UINT16: 'uint_contents',
  UINT32: 'uint_contents',
  UINT64: 'uint64_contents',
  FP32: 'fp32_contents',
  FP64: 'fp64_contents',
  BYTES: 'bytes_contents',
}

/** Encodes the elements of typed contents; undefined when they are not in the field of the datatype, and only there. */
export function encodeContents(datatype: Datatype, contents: unknown): Uint8Array | undefined {
  if (!isRecord(contents)) return undefined
  const field = FIELDS[datatype]
  if (field === undefined) return undefined
  for (const [name, values] of Object.entries(contents)) {
    if (name !== field && Array.isArray(values) && values.length > 0) return undefined
  }
  const values: unknown = contents[field]
  return Array.isArray(values) ? encodeElements(datatype, values) : undefined
}

/** Elements of any datatype with typed contents, little-endian. */
export function encodeElements(datatype: Datatype, values: readonly unknown[]): Uint8Array {
  const numbers = (): number[] => values.map(Number)
  const bigints = (): bigint[] => values.map((value) => BigInt(String(value)))
  switch (datatype) {
    case 'BOOL':
      return Uint8Array.from(values, (value) => (value === true ? 1 : 0))
    case 'INT8':
      return bytesOf(Int8Array.from(numbers()))
    case 'INT16':
      return bytesOf(Int16Array.from(numbers()))
    case 'INT32':
      return bytesOf(Int32Array.from(numbers()))
    case 'INT64':
      return bytesOf(BigInt64Array.from(bigints()))
    case 'UINT8':
      return bytesOf(Uint8Array.from(numbers()))
    case 'UINT16':
      return bytesOf(Uint16Array.from(numbers()))
    case 'UINT32':
      return bytesOf(Uint32Array.from(numbers()))
    case 'UINT64':
      return bytesOf(BigUint64Array.from(bigints()))
    case 'FP32':
      return bytesOf(Float32Array.from(numbers()))
    case 'FP64':
      return bytesOf(Float64Array.from(numbers()))
    case 'BYTES':
      return joinBytes(
        values.map((value) => (value instanceof Uint8Array ? value : Buffer.alloc(0))),
      )
    case 'FP16':
    case 'BF16':
      return new Uint8Array(0)
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
