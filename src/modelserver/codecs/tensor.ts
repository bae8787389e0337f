/// <reference lib="esnext.float16" />

/** Element types of ONNX tensors that can be served, in the names onnxruntime-node uses. */
export const ELEMENT_TYPES = [
  'float16',
  'float32',
  'float64',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'bool',
  'string',
] as const

/** One of {@link ELEMENT_TYPES}. */
export type ElementType = (typeof ELEMENT_TYPES)[number]

/** Arrays whose elements are JavaScript numbers. */
export type NumberArray =
  | Float16Array
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array

/** Elements in row-major order; booleans are 0 and 1. */
export type Elements = NumberArray | BigInt64Array | BigUint64Array | string[]

/** A dense tensor. */
export interface Tensor {
  readonly type: ElementType
  readonly dims: readonly number[]
  readonly elements: Elements
}

/** A tensor with its name in the model. */
export interface NamedTensor extends Tensor {
  readonly name: string
}

/** Number of elements of a shape; 1 for a scalar. */
export function countElements(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1)
}

/** A typed array of `count` zeros for an element type whose elements are numbers. */
export function createNumbers(
  type: Exclude<ElementType, 'int64' | 'uint64' | 'string'>,
  count: number,
): NumberArray {
  switch (type) {
    case 'float16':
      return new Float16Array(count)
    case 'float32':
      return new Float32Array(count)
    case 'float64':
      return new Float64Array(count)
    case 'int8':
      return new Int8Array(count)
    case 'uint8':
    case 'bool':
      return new Uint8Array(count)
    case 'int16':
      return new Int16Array(count)
    case 'uint16':
      return new Uint16Array(count)
    case 'int32':
      return new Int32Array(count)
    case 'uint32':
      return new Uint32Array(count)
  }
}

/** A typed array of `count` zeros for an element type other than text. */
export function createElements(
  type: Exclude<ElementType, 'string'>,
  count: number,
): Exclude<Elements, string[]> {
  if (type === 'int64') return new BigInt64Array(count)
  if (type === 'uint64') return new BigUint64Array(count)
  return createNumbers(type, count)
}
