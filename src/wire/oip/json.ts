import { OipError } from './errors.ts'

/**
 * A JSON value as tensors need it: 64-bit integers are exact, `1` and `1.0` differ, and arrays that may be large stay bytes.
 * `NaN`, `Inf` and `Infinity` are numbers. Of two members with one name the first counts.
 */
export type JsonValue =
  | { readonly kind: 'null' }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'string'; readonly value: string }
  /** `integer` is there when the text is one and fits into 64 bits, signed or not. */
  | { readonly kind: 'number'; readonly value: number; readonly integer: bigint | undefined }
  | { readonly kind: 'array'; readonly items: readonly JsonValue[] }
  | { readonly kind: 'object'; readonly members: ReadonlyMap<string, JsonValue> }
  /** A value that is well-formed, and nothing else is known of it. */
  | { readonly kind: 'span'; readonly bytes: Buffer; readonly start: number; readonly end: number }

/** Values nest at most so deep. Source: Triton `triton_json.h` since May 2025. */
const DEPTH_MAX = 100

const INT64_MIN = -(2n ** 63n)
const UINT64_MAX = 2n ** 64n - 1n

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const LOWER_U = 0x75
const LOWER_I = 0x69

const NULL: JsonValue = { kind: 'null' }
const TRUE: JsonValue = { kind: 'boolean', value: true }
const FALSE: JsonValue = { kind: 'boolean', value: false }

/** Whether the member with this name stays bytes, by the first byte of its value. */
export type IsSpan = (name: string, first: number | undefined) => boolean

/** Arrays that are members with the name `data` stay bytes. */
export function isDataArray(name: string, first: number | undefined): boolean {
  return name === 'data' && first === OPEN_ARRAY
}

/** Whether a span is an array. */
export function isArraySpan({ bytes, start }: Extract<JsonValue, { kind: 'span' }>): boolean {
  return bytes[start] === OPEN_ARRAY
}

/**
 * Parses a document; members that `isSpan` names stay bytes.
 *
 * @throws OipError `INTERNAL`, with the words and the offset of RapidJSON, which is what Triton parses with.
 */
export function parseJson(bytes: Uint8Array, isSpan?: IsSpan): JsonValue {
  return new JsonParser(bytes, isSpan).parseDocument()
}

class JsonParser {
  readonly #bytes: Buffer
  readonly #isSpan: IsSpan | undefined
  #at = 0

  constructor(bytes: Uint8Array, isSpan: IsSpan | undefined) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#isSpan = isSpan
  }

  parseDocument(): JsonValue {
    const [first, second, third] = this.#bytes
    if (first === 0xef && second === 0xbb && third === 0xbf) this.#at = 3
    this.#skipSpace()
    if (this.#at >= this.#bytes.length) throw this.#error('The document is empty.')
    const value = this.#parseValue(1)
    this.#skipSpace()
    if (this.#at < this.#bytes.length) {
      throw this.#error('The document root must not be followed by other values.')
    }
    return value
  }

  #parseValue(depth: number): JsonValue {
    switch (this.#bytes[this.#at]) {
      case QUOTE:
        return { kind: 'string', value: this.#parseString() }
      case OPEN_OBJECT:
        return this.#parseObject(depth)
      case OPEN_ARRAY:
        return this.#parseArray(depth)
      case 0x74:
        this.#expectWord('true')
        return TRUE
      case 0x66:
        this.#expectWord('false')
        return FALSE
      case 0x6e:
        this.#expectWord('null')
        return NULL
      case undefined:
      default:
        return this.#parseNumber()
    }
  }

  #parseObject(depth: number): JsonValue {
    const members = new Map<string, JsonValue>()
    this.#enter(depth)
    if (this.#isNext(CLOSE_OBJECT)) return { kind: 'object', members }
    for (;;) {
      if (this.#bytes[this.#at] !== QUOTE) throw this.#error('Missing a name for object member.')
      const name = this.#parseString()
      this.#skipSpace()
      if (!this.#isNext(COLON)) throw this.#error('Missing a colon after a name of object member.')
      this.#skipSpace()
      const isSpan = this.#isSpan?.(name, this.#bytes[this.#at]) ?? false
      const value = isSpan ? this.#parseSpan(depth + 1) : this.#parseValue(depth + 1)
      if (!members.has(name)) members.set(name, value)
      this.#skipSpace()
      if (this.#isNext(CLOSE_OBJECT)) return { kind: 'object', members }
      if (!this.#isNext(COMMA)) {
        throw this.#error("Missing a comma or '}' after an object member.")
      }
      this.#skipSpace()
    }
  }

  #parseArray(depth: number): JsonValue {
    const items: JsonValue[] = []
    this.#enter(depth)
    if (this.#isNext(CLOSE_ARRAY)) return { kind: 'array', items }
    for (;;) {
      items.push(this.#parseValue(depth + 1))
      this.#skipSpace()
      if (this.#isNext(CLOSE_ARRAY)) return { kind: 'array', items }
      this.#expectComma()
    }
  }

  /** A value that is looked at and forgotten. */
  #parseSpan(depth: number): JsonValue {
    const start = this.#at
    if (this.#bytes[start] === OPEN_ARRAY) this.#skipArray(depth)
    else this.#parseValue(depth)
    return { kind: 'span', bytes: this.#bytes, start, end: this.#at }
  }

  #skipArray(depth: number): void {
    this.#enter(depth)
    if (this.#isNext(CLOSE_ARRAY)) return
    for (;;) {
      const first = this.#bytes[this.#at]
      if (first === OPEN_ARRAY) this.#skipArray(depth + 1)
      else if (first === QUOTE) this.#skipString()
      else if (first === MINUS || isDigit(first)) this.#skipNumber()
      else this.#parseValue(depth + 1)
      this.#skipSpace()
      if (this.#isNext(CLOSE_ARRAY)) return
      this.#expectComma()
    }
  }

  #enter(depth: number): void {
    if (depth > DEPTH_MAX) {
      throw this.#error(`JSON nesting depth exceeds maximum allowed limit (${DEPTH_MAX})`)
    }
    this.#at += 1
    this.#skipSpace()
  }

  #expectComma(): void {
    if (!this.#isNext(COMMA)) throw this.#error("Missing a comma or ']' after an array element.")
    this.#skipSpace()
  }

  /** Steps over the rest of a word, as far as it is that word. */
  #expectWord(word: string): void {
    for (let index = 0; index < word.length; index++) {
      if (this.#bytes[this.#at] !== word.charCodeAt(index)) throw this.#error('Invalid value.')
      this.#at += 1
    }
  }

  #parseString(): string {
    const start = this.#at + 1
    const hasEscapes = this.#skipString()
    return decodeString(this.#bytes.subarray(start, this.#at - 1), hasEscapes)
  }

  /** Steps over a string, and says whether it has escapes. */
  #skipString(): boolean {
    const bytes = this.#bytes
    let hasEscapes = false
    this.#at += 1
    for (;;) {
      const byte = bytes[this.#at]
      if (byte === QUOTE) break
      if (byte === BACKSLASH) {
        hasEscapes = true
        this.#skipEscape()
      } else if (byte === undefined || byte === 0) {
        throw this.#error('Missing a closing quotation mark in string.')
      } else if (byte < 0x20) {
        throw this.#error('Invalid escape character in string.')
      } else this.#at += 1
    }
    this.#at += 1
    return hasEscapes
  }

  #skipEscape(): void {
    const start = this.#at
    const escaped = this.#bytes[start + 1]
    if (escaped !== LOWER_U) {
      if (escaped === undefined || !ESCAPABLE.has(escaped)) {
        throw this.#error('Invalid escape character in string.')
      }
      this.#at += 2
      return
    }
    const unit = this.#hexUnit(start)
    this.#at += 6
    if (unit < 0xd800 || unit > 0xdbff) return
    const low = this.#bytes[this.#at] === BACKSLASH && this.#bytes[this.#at + 1] === LOWER_U
    const lowUnit = low ? this.#hexUnit(start) : 0
    if (lowUnit < 0xdc00 || lowUnit > 0xdfff) {
      throw this.#error('The surrogate pair in string is invalid.', start)
    }
    this.#at += 6
  }

  /** The unit behind a `\u` here. */
  #hexUnit(errorAt: number): number {
    let unit = 0
    for (let at = this.#at + 2; at < this.#at + 6; at++) {
      const digit = hexDigit(this.#bytes[at])
      if (digit === undefined) {
        throw this.#error('Incorrect hex digit after \\u escape in string.', errorAt)
      }
      unit = unit * 16 + digit
    }
    return unit
  }

  #parseNumber(): JsonValue {
    const start = this.#at
    const first = this.#bytes[start]
    const word = this.#bytes[first === MINUS ? start + 1 : start]
    if (word === 0x49 || word === 0x4e) return this.#parseNoNumber(first === MINUS)
    const isInteger = this.#skipNumber()
    const text = this.#bytes.toString('latin1', start, this.#at)
    const value = Number(text)
    if (!isInteger) return { kind: 'number', value, integer: undefined }
    const integer = BigInt(text)
    const fits = integer >= INT64_MIN && integer <= UINT64_MAX
    // An integer has no negative zero.
    return { kind: 'number', value: value === 0 ? 0 : value, integer: fits ? integer : undefined }
  }

  /** `NaN`, `Inf`, `Infinity`. */
  #parseNoNumber(isNegative: boolean): JsonValue {
    if (isNegative) this.#at += 1
    if (this.#bytes[this.#at] === 0x4e) {
      this.#expectWord('NaN')
      return { kind: 'number', value: Number.NaN, integer: undefined }
    }
    this.#expectWord('Inf')
    if (this.#bytes[this.#at] === LOWER_I) this.#expectWord('inity')
    const value = isNegative ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
    return { kind: 'number', value, integer: undefined }
  }

  /** Steps over a number, and says whether it is written as an integer. */
  #skipNumber(): boolean {
    const bytes = this.#bytes
    const start = this.#at
    if (bytes[this.#at] === MINUS) this.#at += 1
    const next = bytes[this.#at]
    if (next === 0x49 || next === 0x4e) {
      this.#at = start
      this.#parseNumber()
      return false
    }
    if (!isDigit(next)) throw this.#error('Invalid value.')
    if (next === ZERO) this.#at += 1
    else this.#skipDigits()
    let isInteger = true
    if (bytes[this.#at] === POINT) {
      isInteger = false
      this.#at += 1
      if (!isDigit(bytes[this.#at])) throw this.#error('Miss fraction part in number.')
      this.#skipDigits()
    }
    const mark = bytes[this.#at]
    const hasExponent = mark === 0x65 || mark === 0x45
    if (hasExponent) {
      isInteger = false
      this.#at += 1
      const sign = bytes[this.#at]
      if (sign === MINUS || sign === 0x2b) this.#at += 1
      if (!isDigit(bytes[this.#at])) throw this.#error('Miss exponent in number.')
      this.#skipDigits()
    }
    // Nothing shorter is out of the range of a double.
    if (
      (hasExponent || this.#at - start > 300) &&
      !Number.isFinite(Number(bytes.toString('latin1', start, this.#at)))
    ) {
      throw this.#error('Number too big to be stored in double.', start)
    }
    return isInteger
  }

  #skipDigits(): void {
    while (isDigit(this.#bytes[this.#at])) this.#at += 1
  }

  #skipSpace(): void {
    for (;;) {
      const byte = this.#bytes[this.#at]
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return
      this.#at += 1
    }
  }

  /** Whether this byte is next; steps over it if so. */
  #isNext(byte: number): boolean {
    if (this.#bytes[this.#at] !== byte) return false
    this.#at += 1
    return true
  }

  #error(reason: string, at = this.#at): OipError {
    return new OipError(
      'INTERNAL',
      `failed to parse the request JSON buffer: ${reason} at ${Math.min(at, this.#bytes.length)}`,
    )
  }
}

/** The text between the quotes of a string that is well-formed; of a surrogate alone U+FFFD is left. */
export function decodeString(bytes: Uint8Array, hasEscapes: boolean): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
  return hasEscapes ? (JSON.parse(`"${text}"`) as string).toWellFormed() : text
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= 0x39
}

function hexDigit(byte: number | undefined): number | undefined {
  if (byte === undefined) return undefined
  if (isDigit(byte)) return byte - ZERO
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : undefined
}

const ESCAPABLE: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'))
