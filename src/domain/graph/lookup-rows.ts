import type { JsonObject, JsonValue } from '../json.ts'
import { describe, isObject } from './aggregate/answers.ts'
import type { RowCount } from './database.ts'

/** What a look-up answers, or why it has no answer. */
export type RowsVerdict =
  | { readonly kind: 'answer'; readonly value: JsonValue }
  | { readonly kind: 'missing' }
  | { readonly kind: 'too-many'; readonly message: string }

/**
 * Chooses what a look-up answers.
 *
 * | wanted | no row | one | more |
 * |---|---|---|---|
 * | one | missing | the row | too many |
 * | optional | null | the row | too many |
 * | all | `[]` | `[row]` | `[row, …]` |
 */
export function chooseRows(rows: readonly JsonObject[], wanted: RowCount): RowsVerdict {
  if (wanted === 'all') return { kind: 'answer', value: rows }
  const [first, second] = rows
  if (second !== undefined) {
    return { kind: 'too-many', message: 'The query gives several rows where one is wanted.' }
  }
  if (first !== undefined) return { kind: 'answer', value: first }
  return wanted === 'optional' ? { kind: 'answer', value: null } : { kind: 'missing' }
}

/** The input with a value added under a key; a sentence where the input has no keys. */
export function addToInput(input: JsonValue, key: string, value: JsonValue): JsonObject | string {
  if (isObject(input)) return { ...input, [key]: value }
  return `The input is ${describe(input)}; into ${key} needs an object.`
}
