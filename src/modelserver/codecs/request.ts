import type { Buffer } from 'node:buffer'
import { Rejection } from '../rejection.ts'
import { parseCsv } from './csv.ts'
import { parseLibsvm } from './libsvm.ts'
import type { Format } from './media-type.ts'
import { parseNpy } from './npy.ts'
import type { NumericTensor } from './npy.ts'
import { parseNpz } from './npz.ts'
import { parseRecordio } from './recordio.ts'
import type { SparseRows } from './sparse.ts'

/** A request body, decoded and not yet matched with the model's inputs. */
export type Given =
  /** Rows of JSON; `isBare` when they came as an array or lines, without `instances` around them. */
  | { readonly kind: 'rows'; readonly rows: readonly unknown[]; readonly isBare: boolean }
  /** `{"inputs": …}`: whole tensors. The JSON reply is columnar too. */
  | { readonly kind: 'columns'; readonly inputs: unknown }
  | { readonly kind: 'text'; readonly rows: readonly (readonly string[])[] }
  | { readonly kind: 'array'; readonly array: NumericTensor }
  /** Whole tensors by name, of `numpy.savez`. */
  | { readonly kind: 'arrays'; readonly arrays: ReadonlyMap<string, NumericTensor> }
  | { readonly kind: 'sparse'; readonly sparse: SparseRows }

/**
 * Decodes a request body.
 *
 * @throws Rejection 400: the body is empty or not of its format; 413: it stands for too many values.
 */
export function parseRequest(format: Format, body: Buffer): Given {
  if (body.length === 0) throw new Rejection(400, 'The request body is empty.')
  switch (format) {
    case 'json':
      return parseJsonRequest(parseJson(textOf(body), 'The body'))
    case 'jsonlines':
      return { kind: 'rows', rows: parseLines(textOf(body)), isBare: false }
    case 'csv':
      return { kind: 'text', rows: parseCsv(textOf(body)) }
    case 'npy':
      return { kind: 'array', array: parseNpy(body) }
    case 'libsvm':
      return { kind: 'sparse', sparse: parseLibsvm(textOf(body)) }
    case 'npz':
      return parseNpz(body)
    case 'recordio':
      return { kind: 'sparse', sparse: parseRecordio(body) }
  }
}

const FORMS = '{"instances": [row, …]}, {"inputs": …} or an array of rows'

function parseJsonRequest(value: unknown): Given {
  if (Array.isArray(value)) return { kind: 'rows', rows: value, isBare: true }
  if (typeof value !== 'object' || value === null) {
    throw new Rejection(400, `The body is ${describe(value)}; send ${FORMS}.`)
  }
  const entries = Object.entries(value)
  const [name, inner] = entries[0] ?? ['', undefined]
  if (entries.length !== 1 || (name !== 'instances' && name !== 'inputs')) {
    const names = entries.map(([key]) => key).slice(0, 10)
    throw new Rejection(
      400,
      `The body has the members ${names.join(', ') || '(none)'}; send ${FORMS}.`,
    )
  }
  if (name === 'inputs') return { kind: 'columns', inputs: inner }
  if (!Array.isArray(inner)) {
    throw new Rejection(400, `"instances" is ${describe(inner)}; it must be an array of rows.`)
  }
  return { kind: 'rows', rows: inner, isBare: false }
}

function parseLines(text: string): unknown[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .flatMap((line, index) => (line === '' ? [] : [parseJson(line, `Line ${index + 1}`)]))
}

function parseJson(text: string, subject: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const hint = /\b(NaN|Infinity)\b/.test(text)
      ? ' JSON has no NaN or Infinity: send them as strings, or a missing value as null.'
      : ''
    throw new Rejection(400, `${subject} is not JSON: ${reason}.${hint}`)
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function textOf(body: Buffer): string {
  try {
    return utf8.decode(body)
  } catch {
    throw new Rejection(400, 'The body is not UTF-8 text.')
  }
}

function describe(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : `a JSON ${typeof value}`
}
