/// <reference lib="esnext.float16" />
import { Buffer } from 'node:buffer'
import { Rejection } from '../rejection.ts'
import { countElements, createNumbers } from './tensor.ts'
import type { Elements, Tensor } from './tensor.ts'

/** Element types that an npy file of numbers can have. */
export type NumericType = Exclude<Tensor['type'], 'string'>

/** A tensor of numbers. */
export interface NumericTensor {
  readonly type: NumericType
  readonly dims: readonly number[]
  readonly elements: Exclude<Elements, string[]>
}

// As many as numpy makes.
const RANK_MAX = 64
const MAGIC = Buffer.from('\x93NUMPY', 'latin1')
// One long text among many makes all of them as long.
const TEXT_BYTES_MAX = 2 ** 27

// Source: numpy.lib.format. The byte order is a character before these.
const TYPE_BY_DESCR: Readonly<Record<string, NumericType>> = {
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  i1: 'int8',
  u1: 'uint8',
  i2: 'int16',
  u2: 'uint16',
  i4: 'int32',
  u4: 'uint32',
  i8: 'int64',
  u8: 'uint64',
  b1: 'bool',
}

/**
 * Parses a `numpy.save` file, versions 1 to 3, C or Fortran order, either byte order.
 *
 * @throws Rejection 400: not npy, cut short, or of elements that are not numbers (objects would be pickle).
 */
export function parseNpy(body: Buffer): NumericTensor {
  const { header, dataOffset } = readHeader(body)
  const descr = /'descr'\s*:\s*'([<>|=])([a-zA-Z]\d+)'/.exec(header)
  const type = TYPE_BY_DESCR[descr?.[2] ?? '']
  if (type === undefined) {
    const given = /'descr'\s*:\s*('[^']*'|\[)/.exec(header)?.[1] ?? 'an unreadable descr'
    throw new Rejection(400, `The npy body has elements of ${given}, not numbers or booleans.`)
  }
  const dims = readShape(header)
  const count = countElements(dims)
  const elementBytes = Number(descr?.[2]?.slice(1))
  const bytes = body.subarray(dataOffset)
  if (!Number.isSafeInteger(count) || bytes.length !== count * elementBytes) {
    const expected = `shape [${dims.join(', ')}] of ${type}`
    throw new Rejection(400, `The npy body has ${bytes.length} data bytes; ${expected} does not.`)
  }
  const elements = createElements(type, count)
  const target = Buffer.from(elements.buffer)
  bytes.copy(target)
  if (descr?.[1] === '>') swapBytes(target, elementBytes)
  const isFortran = /'fortran_order'\s*:\s*True/.test(header)
  if (!isFortran || dims.length < 2) return { type, dims, elements }
  return { type, dims, elements: toRowMajor(elements, dims) }
}

/** Writes a version 1 npy file in C order, little endian. */
export function encodeNpy({ type, dims, elements }: NumericTensor): Buffer {
  const code = Object.keys(TYPE_BY_DESCR).find((key) => TYPE_BY_DESCR[key] === type) ?? ''
  const order = code.endsWith('1') ? '|' : '<'
  return encodeFile(`${order}${code}`, dims, elements)
}

/**
 * Writes text as numpy keeps it without pickle: `<U`, every text as wide as the longest, four bytes a character.
 *
 * @throws Rejection 406: more than {@link TEXT_BYTES_MAX} bytes.
 */
export function encodeTextNpy(dims: readonly number[], texts: readonly string[]): Buffer {
  const rows = texts.map((text) => Array.from(text, (character) => character.codePointAt(0) ?? 0))
  const width = rows.reduce((longest, { length }) => Math.max(longest, length), 1)
  if (rows.length * width * 4 > TEXT_BYTES_MAX) {
    throw new Rejection(
      406,
      `${rows.length} texts of which one has ${width} characters are more than ${TEXT_BYTES_MAX} bytes as a numpy array. Accept another type.`,
    )
  }
  const characters = new Uint32Array(rows.length * width)
  rows.forEach((row, index) => characters.set(row, index * width))
  return encodeFile(`<U${width}`, dims, characters)
}

function encodeFile(
  descr: string,
  dims: readonly number[],
  elements: NumericTensor['elements'],
): Buffer {
  const tuple = dims.map((dim) => `${dim},`).join(' ')
  const shape = dims.length > 1 ? tuple.slice(0, -1) : tuple
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`
  // The header ends in a line feed and the data begin at a multiple of 64.
  const padding = 63 - ((MAGIC.length + 4 + dict.length) % 64)
  const header = Buffer.from(`${dict}${' '.repeat(padding)}\n`, 'latin1')
  const { buffer, byteOffset, byteLength } = elements
  const head = Buffer.alloc(MAGIC.length + 4)
  MAGIC.copy(head)
  head.writeUInt8(1, 6)
  head.writeUInt16LE(header.length, 8)
  return Buffer.concat([head, header, Buffer.from(buffer, byteOffset, byteLength)])
}

function readHeader(body: Buffer): { header: string; dataOffset: number } {
  if (body.length < 10 || !body.subarray(0, 6).equals(MAGIC)) {
    throw new Rejection(400, 'The body is not an npy file: it does not begin with \\x93NUMPY.')
  }
  const version = body.readUInt8(6)
  if (version < 1 || version > 3) {
    throw new Rejection(400, `The npy body has version ${version}; versions 1 to 3 are read.`)
  }
  const lengthBytes = version === 1 ? 2 : 4
  const headerOffset = 8 + lengthBytes
  if (body.length < headerOffset) throw new Rejection(400, 'The npy body ends inside its header.')
  const dataOffset = headerOffset + body.readUIntLE(8, lengthBytes)
  if (body.length < dataOffset) throw new Rejection(400, 'The npy body ends inside its header.')
  return { header: body.toString('utf8', headerOffset, dataOffset), dataOffset }
}

function readShape(header: string): number[] {
  const match = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(header)
  if (match === null) throw new Rejection(400, 'The npy body has no shape in its header.')
  const numbers = (match[1] ?? '').split(',').map((part) => part.replace('L', '').trim())
  const dims = numbers.filter((part) => part !== '').map(Number)
  if (dims.length <= RANK_MAX) return dims
  throw new Rejection(
    400,
    `The npy body has ${dims.length} dimensions; at most ${RANK_MAX} are read.`,
  )
}

function createElements(type: NumericType, count: number): NumericTensor['elements'] {
  if (type === 'int64') return new BigInt64Array(count)
  if (type === 'uint64') return new BigUint64Array(count)
  return createNumbers(type, count)
}

function swapBytes(bytes: Buffer, elementBytes: number): void {
  if (elementBytes === 2) bytes.swap16()
  if (elementBytes === 4) bytes.swap32()
  if (elementBytes === 8) bytes.swap64()
}

// Element (i, j, …) of Fortran order stands at i + j·d0 + …; walk the row-major positions and fetch each.
function toRowMajor(
  elements: NumericTensor['elements'],
  dims: readonly number[],
): NumericTensor['elements'] {
  const strides = dims.map((_, axis) => countElements(dims.slice(0, axis)))
  const indices = dims.map(() => 0)
  const sources = Uint32Array.from({ length: elements.length }, () => {
    const source = indices.reduce((sum, index, axis) => sum + index * (strides[axis] ?? 0), 0)
    advance(indices, dims)
    return source
  })
  return permute(elements, sources)
}

function permute(
  elements: NumericTensor['elements'],
  sources: Uint32Array,
): NumericTensor['elements'] {
  const result = elements.slice()
  if (elements instanceof BigInt64Array || elements instanceof BigUint64Array) {
    if (result instanceof BigInt64Array || result instanceof BigUint64Array) {
      sources.forEach((source, index) => (result[index] = elements[source] ?? 0n))
    }
    return result
  }
  if (!(result instanceof BigInt64Array || result instanceof BigUint64Array)) {
    sources.forEach((source, index) => (result[index] = elements[source] ?? 0))
  }
  return result
}

function advance(indices: number[], dims: readonly number[]): void {
  for (let axis = dims.length - 1; axis >= 0; axis -= 1) {
    const next = (indices[axis] ?? 0) + 1
    indices[axis] = next === dims[axis] ? 0 : next
    if (next !== dims[axis]) return
  }
}
