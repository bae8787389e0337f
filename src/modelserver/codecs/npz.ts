import type { Buffer } from 'node:buffer'
import { Rejection } from '../rejection.ts'
import { encodeNpy, encodeTextNpy, parseNpy } from './npy.ts'
import type { NumericTensor } from './npy.ts'
import { VALUES_MAX } from './sparse.ts'
import type { SparseRows } from './sparse.ts'
import type { NamedTensor } from './tensor.ts'
import { encodeZip } from './zip-writer.ts'
import { readZip } from './zip.ts'
import type { ZipMember } from './zip.ts'

// The header of an npy file of a matrix is far shorter.
const HEADER_BYTES_MAX = 4096
const MEMBER_BYTES_MAX = VALUES_MAX * Float64Array.BYTES_PER_ELEMENT + HEADER_BYTES_MAX
const FORMATS = 'csr, csc and coo are read'

type Numbers = ArrayLike<number>

/** What an npz body holds: a matrix of scipy, or arrays by name. */
export type NpzContent =
  | { readonly kind: 'sparse'; readonly sparse: SparseRows }
  | { readonly kind: 'arrays'; readonly arrays: ReadonlyMap<string, NumericTensor> }

/**
 * Parses what `numpy.savez` or `scipy.sparse.save_npz` has written; of the latter's forms csr, csc and coo.
 *
 * @throws Rejection 400: neither; 413: too large.
 */
export function parseNpz(body: Buffer): NpzContent {
  const members = readZip(body)
  if (members.has('format.npy')) return { kind: 'sparse', sparse: readSparse(members) }
  // All of them together: a small archive can name the same bytes many times.
  let bytesLeft = MEMBER_BYTES_MAX
  const arrays = [...members].map(([file, member]) => {
    const name = file.replace(/\.npy$/, '')
    const array = readArray(name, member, bytesLeft)
    bytesLeft = Math.max(0, bytesLeft - array.elements.byteLength)
    return [name, array] as const
  })
  return { kind: 'arrays', arrays: new Map(arrays) }
}

/**
 * Writes tensors as `numpy.savez` does, each under its name; text as numpy's fixed width `<U`.
 *
 * @throws Rejection 406: texts of which one is so long that all of them at its width are too many bytes.
 */
export function encodeNpz(tensors: readonly NamedTensor[]): Buffer {
  return encodeZip(
    new Map(
      tensors.map(({ name, type, dims, elements }) => {
        const isText = type === 'string' || Array.isArray(elements)
        const content = isText
          ? encodeTextNpy(dims, Array.from(elements, String))
          : encodeNpy({ type, dims, elements })
        return [`${name}.npy`, content]
      }),
    ),
  )
}

function readSparse(members: ReadonlyMap<string, ZipMember>): SparseRows {
  const read = (name: string): Numbers => {
    const member = members.get(`${name}.npy`)
    if (member !== undefined) return readNumbers(name, member)
    const found = [...members.keys()].join(', ') || 'nothing'
    const expected = `a sparse matrix of scipy.sparse.save_npz has ${name}.npy`
    throw new Rejection(400, `The npz body has ${found.slice(0, 200)}; ${expected}.`)
  }
  const format = formatOf(members.get('format.npy')?.unpack(HEADER_BYTES_MAX))
  const shape = read('shape')
  const [rowCount = NaN, columnCount = NaN] = [shape[0], shape[1]]
  if (shape.length !== 2 || !isCount(rowCount) || !isCount(columnCount)) {
    throw new Rejection(
      400,
      `The npz body has shape [${Array.from(shape).join(', ')}]; a matrix has two.`,
    )
  }
  const size = { rowCount, columnCount }
  const values = read('data')
  if (format === 'coo') return { ...size, rows: read('row'), columns: read('col'), values }
  const outer = expand(read('indptr'), values.length)
  const inner = read('indices')
  if (format === 'csr') return { ...size, rows: outer, columns: inner, values }
  if (format === 'csc') return { ...size, rows: inner, columns: outer, values }
  throw new Rejection(400, `The npz body is a sparse matrix in the form ${format}; ${FORMATS}.`)
}

function readArray(
  name: string,
  member: ZipMember,
  bytesMax: number = MEMBER_BYTES_MAX,
): NumericTensor {
  const array = parseNpy(member.unpack(bytesMax))
  if (array.elements.length <= VALUES_MAX) return array
  throw new Rejection(
    413,
    `${name}.npy of the npz body has ${array.elements.length} values; at most ${VALUES_MAX} are read.`,
  )
}

function readNumbers(name: string, member: ZipMember): Numbers {
  const { elements } = readArray(name, member)
  const isWide = elements instanceof BigInt64Array || elements instanceof BigUint64Array
  return isWide ? Float64Array.from(elements, Number) : elements
}

// A text of three characters: the end of its file, as bytes or as four bytes a character.
function formatOf(member: Buffer | undefined): string {
  const text =
    member
      ?.subarray(-12)
      .toString('latin1')
      .replaceAll(/[^a-z]/g, '') ?? ''
  return text.slice(-3) || 'none'
}

// Entries from indptr[i] up to indptr[i + 1] belong to i.
function expand(pointers: Numbers, count: number): Numbers {
  const owners = new Uint32Array(count)
  let at = 0
  for (let owner = 0; owner + 1 < pointers.length; owner += 1) {
    const end = Math.min(count, pointers[owner + 1] ?? 0)
    for (; at < end; at += 1) owners[at] = owner
  }
  return owners.subarray(0, at)
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
