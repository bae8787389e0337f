import { BerthError } from '../../domain/errors.ts'

/** Bounds of a whole number in a query string, both inclusive. */
interface IntegerBounds {
  readonly default: number
  readonly min: number
  readonly max: number
}

/** @throws BerthError `ValidationException`: not a whole number within the bounds. */
export function integerParameter(
  query: URLSearchParams,
  name: string,
  bounds: IntegerBounds,
): number {
  const text = query.get(name)
  if (text === null) return bounds.default
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (value >= bounds.min && value <= bounds.max) return value
  throw new BerthError(
    'ValidationException',
    `Parameter ${name} is "${text.slice(0, 40)}", expected a whole number from ${bounds.min} to ${bounds.max}.`,
  )
}

/** @throws BerthError `ValidationException`: neither `true` nor `false`. */
export function booleanParameter(query: URLSearchParams, name: string): boolean {
  const text = query.get(name) ?? 'false'
  if (text === 'true' || text === 'false') return text === 'true'
  throw new BerthError(
    'ValidationException',
    `Parameter ${name} is "${text.slice(0, 40)}", expected true or false.`,
  )
}
