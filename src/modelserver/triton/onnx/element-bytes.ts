/// <reference lib="esnext.float16" />
import { Buffer } from 'node:buffer'
import { joinBytes, splitBytes } from '../../../wire/oip/tensor.ts'
import type { Datatype } from '../../../wire/oip/tensor.ts'
import type { Elements, ElementType } from '../../codecs/tensor.ts'

const ELEMENT_TYPE_BY_DATATYPE = {
  BOOL: 'bool',
  UINT8: 'uint8',
  UINT16: 'uint16',
  UINT32: 'uint32',
  UINT64: 'uint64',
  INT8: 'int8',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  FP16: 'float16',
  FP32: 'float32',
  FP64: 'float64',
  BYTES: 'string',
} as const satisfies Partial<Record<Datatype, ElementType>>

const DATATYPE_BY_ELEMENT_TYPE: Readonly<Record<ElementType, Datatype>> = {
  bool: 'BOOL',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  float16: 'FP16',
  float32: 'FP32',
  float64: 'FP64',
  string: 'BYTES',
}

/** The datatype of the protocol for an element type of the runtime. */
export function toDatatype(type: ElementType): Datatype {
  return DATATYPE_BY_ELEMENT_TYPE[type]
}

/** The element type of the runtime; undefined for BF16, which it does not take. */
export function toElementType(datatype: Datatype): ElementType | undefined {
  return datatype === 'BF16' ? undefined : ELEMENT_TYPE_BY_DATATYPE[datatype]
}

/** Bytes in a buffer, from an offset that is a multiple of eight. */
export interface ByteRange {
  readonly buffer: ArrayBuffer
  readonly offset: number
  readonly byteLength: number
}

/** Elements over the same memory; texts are decoded. */
export function viewElements(
  type: ElementType,
  { buffer, offset, byteLength }: ByteRange,
): Elements {
  switch (type) {
    case 'float16':
      return new Float16Array(buffer, offset, byteLength / 2)
    case 'float32':
      return new Float32Array(buffer, offset, byteLength / 4)
    case 'float64':
      return new Float64Array(buffer, offset, byteLength / 8)
    case 'int8':
      return new Int8Array(buffer, offset, byteLength)
    case 'uint8':
    case 'bool':
      return new Uint8Array(buffer, offset, byteLength)
    case 'int16':
      return new Int16Array(buffer, offset, byteLength / 2)
    case 'uint16':
      return new Uint16Array(buffer, offset, byteLength / 2)
    case 'int32':
      return new Int32Array(buffer, offset, byteLength / 4)
    case 'uint32':
      return new Uint32Array(buffer, offset, byteLength / 4)
    case 'int64':
      return new BigInt64Array(buffer, offset, byteLength / 8)
    case 'uint64':
      return new BigUint64Array(buffer, offset, byteLength / 8)
    case 'string':
      return splitBytes(new Uint8Array(buffer, offset, byteLength)).map((part) =>
        Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('utf8'),
      )
  }
}

/** The bytes of elements; views where elements are numbers. */
export function bytesOfElements(elements: Elements): Uint8Array<ArrayBuffer> {
  if (Array.isArray(elements)) {
    return new Uint8Array(joinBytes(elements.map((text) => Buffer.from(text, 'utf8'))))
  }
  const { buffer, byteOffset, byteLength } = elements
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer, byteOffset, byteLength)
  return new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength))
}
