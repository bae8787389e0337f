import type { JsonValue } from '../json.ts'
import { formAnswer, isList, isObject, readRows } from './aggregate/answers.ts'

/** A request that asks about several rows at once. */
export interface SplitRequest {
  readonly rows: readonly JsonValue[]
  /** The same request about these rows alone. */
  readonly withRows: (rows: readonly JsonValue[]) => JsonValue
}

/** `{"instances": rows, …}` or a list of rows; undefined for a request whose rows cannot be told apart. */
export function splitRequest(request: JsonValue): SplitRequest | undefined {
  if (isList(request)) return { rows: request, withRows: (rows) => rows }
  if (!isObject(request) || !isList(request.instances)) return undefined
  return { rows: request.instances, withRows: (instances) => ({ ...request, instances }) }
}

/**
 * Chooses the rows that a step of a cascade is not sure of.
 *
 * @param confidences one for each row; undefined is not sure.
 */
export function chooseUnsureRows(
  confidences: readonly (number | undefined)[],
  atLeast: number,
): readonly number[] {
  return confidences.flatMap((confidence, row) =>
    confidence !== undefined && confidence >= atLeast ? [] : [row],
  )
}

/**
 * Puts the next step's rows into the places of those that it was asked about.
 *
 * @returns undefined when it answered another number of rows.
 */
export function mergeRows(
  answer: JsonValue,
  rows: readonly number[],
  next: JsonValue,
): JsonValue | undefined {
  const { form, rows: own } = readRows(answer)
  const { rows: replacing } = readRows(next)
  if (replacing.length !== rows.length) return undefined
  const merged = [...own]
  for (const [at, row] of rows.entries()) merged[row] = replacing[at] ?? null
  return formAnswer(form, merged)
}
