import { createNumbers } from './tensor.ts'
import type { Elements, ElementType } from './tensor.ts'

/** Why a single value does not become an element; the caller adds where it stood. */
export class CastFailure extends Error {}

/** Where values come from: JSON, text (CSV), or an array that already has numbers (npy). */
export type Origin = 'json' | 'text' | 'numbers'

/** Elements under construction: `put` converts one value or throws {@link CastFailure}. */
export interface Filling {
  readonly elements: Elements
  put(index: number, value: unknown): void
}

/**
 * Starts an array of `count` elements of a type.
 *
 * The origin matters: `"5"` is a number in CSV; in JSON it is a string, and a number only where JSON has no
 * other spelling (NaN, the infinities, integers beyond 2^53).
 */
export function startElements(type: ElementType, count: number, origin: Origin): Filling {
  switch (type) {
    case 'string': {
      const elements = Array.from({ length: count }, () => '')
      return { elements, put: (index, value) => (elements[index] = toText(value)) }
    }
    case 'int64': {
      const elements = new BigInt64Array(count)
      return { elements, put: (index, value) => (elements[index] = toBigInteger(value, type)) }
    }
    case 'uint64': {
      const elements = new BigUint64Array(count)
      return { elements, put: (index, value) => (elements[index] = toBigInteger(value, type)) }
    }
    case 'bool': {
      const elements = new Uint8Array(count)
      return { elements, put: (index, value) => (elements[index] = toBoolean(value, origin)) }
    }
    case 'float16':
    case 'float32':
    case 'float64': {
      const elements = createNumbers(type, count)
      return { elements, put: (index, value) => (elements[index] = toFloat(value, type, origin)) }
    }
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'uint32': {
      const elements = createNumbers(type, count)
      return { elements, put: (index, value) => (elements[index] = toInteger(value, type)) }
    }
  }
}

// Half an ulp above the largest finite number rounds to infinity; below it rounds to that number.
const FLOAT_MAX = { float16: 65_520, float32: 2 ** 128 - 2 ** 103, float64: Infinity } as const

const INTEGER_RANGE = {
  int8: [-(2 ** 7), 2 ** 7 - 1],
  uint8: [0, 2 ** 8 - 1],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  uint16: [0, 2 ** 16 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
} as const

const BIG_RANGE = {
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
} as const

const NON_FINITE: ReadonlyMap<string, number> = new Map([
  ['nan', NaN],
  ['infinity', Infinity],
  ['+infinity', Infinity],
  ['-infinity', -Infinity],
  ['inf', Infinity],
  ['+inf', Infinity],
  ['-inf', -Infinity],
])
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/

function toFloat(value: unknown, type: keyof typeof FLOAT_MAX, origin: Origin): number {
  if (typeof value === 'string') return textToFloat(value.trim(), type, origin)
  // A missing value is NaN, as pandas writes it in JSON and scikit-learn's imputers expect it.
  if (value === null) return NaN
  const number = typeof value === 'bigint' ? Number(value) : value
  if (typeof number !== 'number') throw new CastFailure(`${show(value)} is not a number`)
  // JSON has no infinity: the parser made it of a number like 1e999.
  if (origin === 'numbers' && !Number.isFinite(number)) return number
  return fitFloat(number, type, value)
}

function textToFloat(text: string, type: keyof typeof FLOAT_MAX, origin: Origin): number {
  const nonFinite = NON_FINITE.get(text.toLowerCase())
  if (nonFinite !== undefined) return nonFinite
  // A missing value again, as pandas writes it in CSV.
  if (origin === 'text' && text === '') return NaN
  if (origin === 'text' && DECIMAL.test(text)) return fitFloat(Number(text), type, text)
  throw new CastFailure(`${show(text)} is not a number`)
}

function fitFloat(number: number, type: keyof typeof FLOAT_MAX, given: unknown): number {
  if (Math.abs(number) < FLOAT_MAX[type]) return number
  throw new CastFailure(`${show(given)} does not fit ${type}`)
}

function toInteger(value: unknown, type: keyof typeof INTEGER_RANGE): number {
  const number = typeof value === 'string' ? parseWhole(value) : value
  const plain = typeof number === 'bigint' ? Number(number) : number
  if (typeof plain !== 'number' || !Number.isInteger(plain)) {
    throw new CastFailure(`${show(value)} is not an integer`)
  }
  const [min, max] = INTEGER_RANGE[type]
  if (plain < min || plain > max) throw new CastFailure(`${show(value)} does not fit ${type}`)
  return plain
}

function toBigInteger(value: unknown, type: keyof typeof BIG_RANGE): bigint {
  const big = readBigInteger(value)
  if (big === undefined) throw new CastFailure(`${show(value)} is not an integer`)
  const [min, max] = BIG_RANGE[type]
  if (big < min || big > max) throw new CastFailure(`${show(value)} does not fit ${type}`)
  return big
}

function readBigInteger(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value
  if (typeof value === 'string') return parseWhole(value)
  if (typeof value !== 'number' || !Number.isInteger(value)) return undefined
  if (Number.isSafeInteger(value)) return BigInt(value)
  // The JSON parser has already rounded it: serving a neighbour of the number sent would be a wrong answer.
  throw new CastFailure(`${value} is beyond 2^53 and was rounded on the way; send it as a string`)
}

function parseWhole(text: string): bigint | undefined {
  const trimmed = text.trim()
  // A float that is whole ("3.0", "1e3") is what pandas writes for an integer column with a gap in it.
  if (/^[+-]?\d{1,40}$/.test(trimmed)) return BigInt(trimmed.replace('+', ''))
  if (!DECIMAL.test(trimmed)) return undefined
  return Number.isSafeInteger(Number(trimmed)) ? BigInt(Number(trimmed)) : undefined
}

function toBoolean(value: unknown, origin: Origin): number {
  if (value === true || value === 1) return 1
  if (value === false || value === 0) return 0
  if (origin === 'text' && typeof value === 'string') {
    const text = value.trim().toLowerCase()
    if (text === 'true' || text === '1') return 1
    if (text === 'false' || text === '0') return 0
  }
  throw new CastFailure(`${show(value)} is not a boolean`)
}

function toText(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  throw new CastFailure(`${show(value)} is not a string`)
}

// Long enough to recognise the value, short enough for a message.
const SHOWN_CHARACTERS_MAX = 40

function show(value: unknown): string {
  if (typeof value === 'bigint') return String(value)
  const text = JSON.stringify(value) ?? String(value)
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text
}
