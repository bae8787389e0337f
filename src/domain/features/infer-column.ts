import type { JsonValue } from '../json.ts'
import type { ColumnKind } from './feature-file.ts'

// A leading zero makes a code, not a number: 00501 is not 501.
const INTEGER = /^-?(0|[1-9]\d{0,15})$/
const REAL = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/

/**
 * The kind of one value of a file of text; undefined says nothing.
 *
 * | text | kind |
 * |---|---|
 * | empty | undefined: no value |
 * | `-12` | integer |
 * | `0.5`, `1e-3` | real |
 * | `true`, `false` | boolean |
 * | `00501`, `a` | text |
 */
export function inferTextKind(text: string): ColumnKind | undefined {
  if (text === '') return undefined
  if (INTEGER.test(text) && Number.isSafeInteger(Number(text))) return 'integer'
  if (REAL.test(text) && Number.isFinite(Number(text))) return 'real'
  return text === 'true' || text === 'false' ? 'boolean' : 'text'
}

/** The kind of one value of JSON; undefined for null. */
export function inferJsonKind(value: JsonValue | undefined): ColumnKind | undefined {
  if (value === null || value === undefined) return undefined
  if (typeof value === 'string') return 'text'
  if (typeof value === 'boolean') return 'boolean'
  if (typeof value === 'object') return 'json'
  return Number.isSafeInteger(value) ? 'integer' : 'real'
}

/** The kind that holds values of both: integers among reals are reals. Undefined where none does. */
export function joinKinds(
  a: ColumnKind | undefined,
  b: ColumnKind | undefined,
): ColumnKind | undefined {
  if (a === undefined || a === b) return b
  if (b === undefined) return a
  const isNumber = (kind: ColumnKind): boolean => kind === 'integer' || kind === 'real'
  return isNumber(a) && isNumber(b) ? 'real' : undefined
}

/** A value of a file of text as its column holds it. */
export function parseText(text: string, kind: ColumnKind): JsonValue {
  if (kind === 'text') return text === '' ? null : text
  if (text === '') return null
  return kind === 'boolean' ? text === 'true' : Number(text)
}
