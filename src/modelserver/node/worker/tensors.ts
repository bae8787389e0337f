/// <reference lib="esnext.float16" />
import { Buffer } from 'node:buffer'
import {
  isDatatype,
  elementCount,
  formatShape,
  joinBytes,
  splitBytes,
} from '../../../wire/oip/tensor.ts'
import type { Datatype } from '../../../wire/oip/tensor.ts'
import type { ByteRange } from '../../triton/onnx/element-bytes.ts'
import { toElementType, viewElements } from '../../triton/onnx/element-bytes.ts'
import type { InputTensor } from '../author/model.ts'

/** An input or output as `defineModel`'s signature declares it. */
export interface DeclaredTensor {
  readonly name: string
  readonly datatype: Datatype
  /** Without the batch dimension; -1 is any size. */
  readonly dims: readonly number[]
}

/** What `defineModel`'s signature says. */
export interface DeclaredSignature {
  readonly inputs: readonly DeclaredTensor[]
  readonly outputs: readonly DeclaredTensor[]
  readonly maxBatchSize: number
  readonly isDecoupled: boolean
}

/** A tensor that a model gave, with memory of its own. */
export interface GivenTensor {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: readonly number[]
  readonly data: Uint8Array<ArrayBuffer>
}

/** Reads a signature. @throws TypeError it has not the form that `ModelSignature` declares. */
export function parseSignature(given: unknown): DeclaredSignature {
  if (typeof given !== 'object' || given === null)
    throw new TypeError('The signature is no object.')
  const maxBatchSize = Number(Reflect.get(given, 'maxBatchSize') ?? 0)
  if (!Number.isSafeInteger(maxBatchSize) || maxBatchSize < 0) {
    throw new TypeError('signature.maxBatchSize must be an integer from 0.')
  }
  return {
    inputs: parseSpecs('inputs', Reflect.get(given, 'inputs')),
    outputs: parseSpecs('outputs', Reflect.get(given, 'outputs')),
    maxBatchSize,
    isDecoupled: Reflect.get(given, 'isDecoupled') === true,
  }
}

function parseSpecs(role: 'inputs' | 'outputs', given: unknown): readonly DeclaredTensor[] {
  const specs = typeof given === 'object' && given !== null ? Object.entries(given) : []
  if (specs.length === 0) throw new TypeError(`signature.${role} names no tensor.`)
  return specs.map(([name, spec]: readonly [string, unknown]) => {
    const { datatype, dims } = Object(spec)
    if (typeof datatype !== 'string' || !isDatatype(datatype)) {
      throw new TypeError(
        `signature.${role}.${name}.datatype is ${String(datatype)}, not a datatype such as FP32.`,
      )
    }
    if (!Array.isArray(dims) || !dims.every((dim) => Number.isSafeInteger(dim) && dim >= -1)) {
      throw new TypeError(
        `signature.${role}.${name}.dims must be an array of integers, -1 for any size.`,
      )
    }
    return { name, datatype, dims: dims.map(Number) }
  })
}

/** A tensor as user code is given it: a view where elements are numbers. */
export function toInputTensor(
  datatype: Datatype,
  shape: readonly number[],
  range: ByteRange,
): InputTensor {
  const { buffer, offset, byteLength } = range
  if (datatype === 'BYTES') {
    return { datatype, shape, data: splitBytes(new Uint8Array(buffer, offset, byteLength)) }
  }
  const type = toElementType(datatype) ?? 'uint16'
  const data = viewElements(type, range)
  if (Array.isArray(data)) throw new TypeError(`${datatype} has no elements of text.`)
  return { datatype, shape, data }
}

/**
 * The tensors that `predict` returned, checked against its signature.
 *
 * @throws TypeError one is missing or not declared, or has other elements than its shape and datatype ask for.
 */
export function toGivenTensors(
  outputs: unknown,
  signature: DeclaredSignature,
): readonly GivenTensor[] {
  if (typeof outputs !== 'object' || outputs === null) {
    throw new TypeError(`predict returned ${String(outputs)}, not an object of tensors by name.`)
  }
  const known = signature.outputs.map(({ name }) => name)
  const strange = Object.keys(outputs).find((name) => !known.includes(name))
  if (strange !== undefined) {
    throw new TypeError(
      `predict returned ${strange}; the signature has the outputs ${known.join(', ')}.`,
    )
  }
  return signature.outputs.map((declared) => {
    return toGivenTensor(declared, Reflect.get(outputs, declared.name), signature.maxBatchSize > 0)
  })
}

function toGivenTensor(declared: DeclaredTensor, output: unknown, isBatched: boolean): GivenTensor {
  const { name, datatype, dims } = declared
  if (typeof output !== 'object' || output === null) {
    throw new TypeError(`predict returned no tensor ${name}.`)
  }
  const { shape, data } = Object(output)
  const expected = isBatched ? [-1, ...dims] : dims
  if (
    !isShape(shape) ||
    shape.length !== expected.length ||
    !expected.every((dim, axis) => dim === -1 || dim === shape[axis])
  ) {
    const given = isShape(shape) ? formatShape(shape) : String(shape)
    throw new TypeError(
      `Output ${name} has the shape ${given}; the signature says ${formatShape(expected)}.`,
    )
  }
  return { name, datatype, shape, data: bytesOf(declared, shape, data) }
}

function bytesOf(
  { name, datatype }: DeclaredTensor,
  shape: readonly number[],
  data: unknown,
): Uint8Array<ArrayBuffer> {
  const count = elementCount(shape)
  if (datatype === 'BYTES') {
    if (!Array.isArray(data) || data.length !== count)
      throw wrongData(name, `an array of ${count} texts or byte arrays`, data)
    const parts = data.map((part: unknown) => {
      if (typeof part === 'string') return Buffer.from(part, 'utf8')
      if (part instanceof Uint8Array) return part
      throw wrongData(name, `texts or byte arrays`, part)
    })
    return new Uint8Array(joinBytes(parts))
  }
  const type = toElementType(datatype) ?? 'uint16'
  const wanted = viewElements(type, { buffer: new ArrayBuffer(0), offset: 0, byteLength: 0 })
  const isOfType =
    ArrayBuffer.isView(data) && Object.getPrototypeOf(data) === Object.getPrototypeOf(wanted)
  if (!isOfType || !('length' in data) || data.length !== count) {
    throw wrongData(
      name,
      `${wanted.constructor.name} of ${count} elements, for ${datatype} of shape ${formatShape(shape)}`,
      data,
    )
  }
  // A copy: what user code keeps must stay its own when this is moved to another thread.
  return new Uint8Array(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
}

function isShape(shape: unknown): shape is readonly number[] {
  return Array.isArray(shape) && shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0)
}

function wrongData(name: string, expected: string, given: unknown): TypeError {
  const isSized = typeof given === 'object' && given !== null && 'length' in given
  const size = isSized ? ` of ${String(given.length)}` : ''
  const kind = typeof given === 'object' && given !== null ? given.constructor.name : typeof given
  return new TypeError(`Output ${name}: expected ${expected}, got ${kind}${size}.`)
}
