import { TypeOverrides } from 'pg'
import type { JsonValue } from '../../../domain/json.ts'
import { NodeFailure } from '../node-failure.ts'

// Source: pg_type.dat. The client gives the first two as text, because they may hold more digits than a number.
const INT8 = 20
const NUMERIC = 1700
// It would make these moments of this machine's time zone.
const DATE = 1082
const TIMESTAMP = 1114

/** How values of types are read: as JSON would have them, numbers as numbers. */
export function createTypes(): TypeOverrides {
  const overrides = new TypeOverrides()
  for (const id of [INT8, NUMERIC]) overrides.setTypeParser(id, toNumber)
  for (const id of [DATE, TIMESTAMP]) overrides.setTypeParser(id, (text) => text)
  return overrides
}

// Digits that a number cannot hold stay text: an identifier must not change on its way. So does NaN.
function toNumber(text: string): number | string {
  const number = Number(text)
  if (!Number.isFinite(number)) return text
  return Number.isInteger(number) && !Number.isSafeInteger(number) ? text : number
}

/** A column's value as JSON. @throws NodeFailure 502: bytes and other things that JSON cannot carry. */
export function columnOf(name: string, value: unknown): JsonValue {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'object':
      if (value === null) return null
      if (value instanceof Date) return value.toISOString()
      if (Array.isArray(value)) return value.map((item) => columnOf(name, item))
      if (Object.getPrototypeOf(value) === Object.prototype) {
        return Object.fromEntries(
          Object.entries(value).map(([key, item]) => [key, columnOf(name, item)]),
        )
      }
      break
    case 'bigint':
    case 'undefined':
    case 'function':
    case 'symbol':
      break
  }
  throw new NodeFailure(`Column ${name} holds what JSON cannot carry: cast it in the query.`, 502)
}
