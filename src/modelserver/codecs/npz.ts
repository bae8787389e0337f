import type { Buffer } from 'node:buffer'
import { Rejection } from '../rejection.ts'
import { parseNpy } from './npy.ts'
import type { SparseRows } from './sparse.ts'
import { readZip } from './zip.ts'

const MEMBER_BYTES_MAX = 128 * 1024 * 1024
const FORMATS = 'csr, csc and coo are read'

type Numbers = ArrayLike<number>

/**
 * Parses a matrix that `scipy.sparse.save_npz` has written, in the forms csr, csc and coo.
 *
 * @throws Rejection 400: not such a matrix; 413: too large.
 */
export function parseSparseNpz(body: Buffer): SparseRows {
  const members = readZip(body, MEMBER_BYTES_MAX)
  const read = (name: string): Numbers => {
    const member = members.get(`${name}.npy`)
    if (member !== undefined) return Array.from(parseNpy(member).elements, Number)
    const found = [...members.keys()].join(', ') || 'nothing'
    const expected = `a sparse matrix of scipy.sparse.save_npz has ${name}.npy`
    throw new Rejection(400, `The npz body has ${found.slice(0, 200)}; ${expected}.`)
  }
  const format = formatOf(members.get('format.npy'))
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
  if (inner.length !== values.length || outer.length !== values.length) {
    throw new Rejection(
      400,
      `The npz body has ${values.length} values and ${inner.length} indices.`,
    )
  }
  if (format === 'csr') return { ...size, rows: outer, columns: inner, values }
  if (format === 'csc') return { ...size, rows: inner, columns: outer, values }
  throw new Rejection(400, `The npz body is a sparse matrix in the form ${format}; ${FORMATS}.`)
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
  const owners: number[] = []
  for (let owner = 0; owner + 1 < pointers.length; owner += 1) {
    const end = Math.min(count, pointers[owner + 1] ?? 0)
    while (owners.length < end) owners.push(owner)
  }
  return owners
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
