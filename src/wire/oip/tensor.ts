import { OipError } from './errors.ts'

const BYTE_SIZES = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  FP32: 4,
  FP64: 8,
  BF16: 2,
  BYTES: undefined,
} as const

/** Datatypes of the Open Inference Protocol, as they are spelt on the wire. */
export type Datatype = keyof typeof BYTE_SIZES

/** A tensor as requests and responses carry it. */
export interface Tensor {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: readonly number[]
  /** Elements, little-endian, row-major; BYTES: each a u32 length and its bytes (Triton's raw form). */
  readonly data: Uint8Array
}

/** All datatypes, in the order of Triton's enumeration. */
export const DATATYPES = Object.keys(BYTE_SIZES) as readonly Datatype[]

export function isDatatype(text: string): text is Datatype {
  return Object.hasOwn(BYTE_SIZES, text)
}

/** Bytes of one element; undefined for BYTES, whose elements have lengths of their own. */
export function byteSizeOf(datatype: Datatype): number | undefined {
  return BYTE_SIZES[datatype]
}

/** Number of elements of a shape: 1 for a scalar, -1 when a dimension is variable, as in Triton. */
export function elementCount(shape: readonly number[]): number {
  let count = 1
  for (const dim of shape) {
    if (dim < 0) return -1
    count *= dim
  }
  return count
}

/** How shapes are written in messages: `[1,16]`. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(',')}]`
}

const LENGTH_BYTES = 4

/**
 * The elements of a BYTES tensor, as views of its data.
 *
 * @throws OipError `INVALID_ARG`: a length or an element is cut off.
 */
export function splitBytes(data: Uint8Array): Uint8Array[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const parts: Uint8Array[] = []
  for (let at = 0; at < data.length;) {
    if (data.length - at < LENGTH_BYTES) {
      throw new OipError(
        'INVALID_ARG',
        `incomplete string length indicator, expecting ${LENGTH_BYTES} bytes but only ${data.length - at} bytes available`,
      )
    }
    const start = at + LENGTH_BYTES
    const length = view.getUint32(at, true)
    if (length > data.length - start) {
      throw new OipError(
        'INVALID_ARG',
        `incomplete string data, expecting string of length ${length} but only ${data.length - start} bytes available`,
      )
    }
    at = start + length
    parts.push(data.subarray(start, at))
  }
  return parts
}

/** The raw form of a BYTES tensor: each part behind its length. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0
  for (const part of parts) size += LENGTH_BYTES + part.length
  const data = new Uint8Array(size)
  const view = new DataView(data.buffer)
  let at = 0
  for (const part of parts) {
    view.setUint32(at, part.length, true)
    data.set(part, at + LENGTH_BYTES)
    at += LENGTH_BYTES + part.length
  }
  return data
}
