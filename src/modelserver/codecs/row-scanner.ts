import { Buffer } from 'node:buffer'

// Half an ulp above the largest finite float32 rounds to infinity.
const FLOAT32_MAX = 2 ** 128 - 2 ** 103

// 10^15 < 2^53: so many digits are a number without rounding.
const DIGITS_MAX = 15
// Powers of ten up to here are exact, and one operation on exact numbers rounds once, as JSON.parse does.
const EXACT_POWER_MAX = 22
const POWER_MAX = 60
const POWERS = Float64Array.from({ length: POWER_MAX + 1 }, (_, power) => Number(`1e${power}`))
// More than what was cut off behind 15 digits and three roundings can make.
const BELOW = 1 - 1e-15
const ABOVE = 1 + 1.1e-14

const QUOTE = 0x22
const ZERO = 0x30
const MINUS = 0x2d
const PLUS = 0x2b
const POINT = 0x2e
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const LETTER_E = 0x65
const TO_LOWER_CASE = 0x20
const NAME = Array.from('instances"', (letter) => letter.charCodeAt(0))

// Rows of small requests lie beside each other: memory outside the heap for each would cost as much as reading it.
const SLAB_FLOATS = 16 * 1024
const NOTHING = Buffer.alloc(0)

/**
 * Reads `{"instances": [[1, 2.5], …]}` from its bytes into float32, as `JSON.parse` and an assignment would, without the
 * string and the arrays between.
 *
 * A number of at most 15 digits and a power of ten up to 22 is one rounding away from its text, so it is what `JSON.parse`
 * makes of it. Of any other bounds are computed: where both are the same float32, so is everything between them.
 */
export class RowScanner {
  #bytes: Buffer = NOTHING
  #at = 0
  // What lies before the start has been handed out and is not written to again.
  #slab = new Float32Array(SLAB_FLOATS)
  #start = 0
  #end = 0

  /** @returns undefined for everything that is not plainly that, with `rowElements` numbers in each row. */
  scan(bytes: Buffer, rowElements: number): Float32Array | undefined {
    if (rowElements === 0) return undefined
    this.#bytes = bytes
    this.#at = 0
    this.#end = this.#start
    const isRows = this.#takeStart() && this.#readRows(rowElements) && this.#takeEnd()
    this.#bytes = NOTHING
    if (!isRows) return undefined
    const rows = this.#slab.subarray(this.#start, this.#end)
    this.#start = this.#end
    return rows
  }

  #takeStart(): boolean {
    if (this.#next() !== OPEN_OBJECT || this.#next() !== QUOTE) return false
    for (const letter of NAME) if (this.#bytes[this.#at++] !== letter) return false
    return this.#next() === COLON && this.#next() === OPEN_ARRAY
  }

  #takeEnd(): boolean {
    return this.#next() === CLOSE_OBJECT && this.#next() === undefined
  }

  /** Takes what follows after space; undefined at the end. */
  #next(): number | undefined {
    while (isSpace(this.#bytes[this.#at])) this.#at += 1
    return this.#bytes[this.#at++]
  }

  #readRows(rowElements: number): boolean {
    for (;;) {
      if (this.#next() !== OPEN_ARRAY) return false
      this.#reserve(rowElements)
      if (!this.#readRow(rowElements)) return false
      const byte = this.#next()
      if (byte !== COMMA) return byte === CLOSE_ARRAY
    }
  }

  // Makes room for a row behind those already read.
  #reserve(count: number): void {
    if (this.#end + count <= this.#slab.length) return
    const read = this.#slab.subarray(this.#start, this.#end)
    this.#slab = new Float32Array(Math.max(SLAB_FLOATS, 2 * read.length + count))
    this.#slab.set(read)
    this.#start = 0
    this.#end = read.length
  }

  // One function for whole rows: a call for each number would make it 2.3 µs instead of 1.6 for 64 of them.
  #readRow(rowElements: number): boolean {
    const bytes = this.#bytes
    const slab = this.#slab
    const end = this.#end + rowElements
    let at = this.#at
    for (let index = this.#end; index < end; index += 1) {
      let byte = bytes[at] ?? 0
      while (isSpace(byte)) byte = bytes[++at] ?? 0
      const isNegative = byte === MINUS
      if (isNegative) byte = bytes[++at] ?? 0
      if (!isDigit(byte)) return false
      const digitsAt = at
      const isZero = byte === ZERO
      let limit = at + DIGITS_MAX
      let mantissa = byte - ZERO
      let power = 0
      let isCut = false
      byte = bytes[++at] ?? 0
      if (isZero && isDigit(byte)) return false
      for (; isDigit(byte) && at < limit; byte = bytes[++at] ?? 0) {
        mantissa = mantissa * 10 + (byte - ZERO)
      }
      for (; isDigit(byte); byte = bytes[++at] ?? 0) {
        isCut = true
        power += 1
      }
      if (byte === POINT) {
        const pointAt = at
        byte = bytes[++at] ?? 0
        if (!isDigit(byte)) return false
        // Zeros before all other digits are none of them.
        if (isZero) while (byte === ZERO) byte = bytes[++at] ?? 0
        limit = isZero ? at + DIGITS_MAX : limit + 1
        for (; isDigit(byte) && at < limit; byte = bytes[++at] ?? 0) {
          mantissa = mantissa * 10 + (byte - ZERO)
        }
        power -= at - pointAt - 1
        for (; isDigit(byte); byte = bytes[++at] ?? 0) isCut = true
      }
      if ((byte | TO_LOWER_CASE) === LETTER_E) {
        this.#at = at
        power += this.#readExponent()
        at = this.#at
        byte = bytes[at] ?? 0
      }
      let value = scale(mantissa, power, isCut)
      if (Number.isNaN(value)) value = Number(bytes.toString('latin1', digitsAt, at))
      // Neither NaN nor a number that float32 cannot say is less.
      if (!(value < FLOAT32_MAX)) return false
      slab[index] = isNegative ? -value : value
      while (isSpace(byte)) byte = bytes[++at] ?? 0
      if (byte !== (index + 1 === end ? CLOSE_ARRAY : COMMA)) return false
      at += 1
    }
    this.#at = at
    this.#end = end
    return true
  }

  /** @returns NaN where none stands. */
  #readExponent(): number {
    let byte = this.#bytes[(this.#at += 1)] ?? 0
    const isNegative = byte === MINUS
    if (isNegative || byte === PLUS) byte = this.#bytes[(this.#at += 1)] ?? 0
    let exponent = isDigit(byte) ? 0 : NaN
    for (; isDigit(byte); byte = this.#bytes[(this.#at += 1)] ?? 0) {
      exponent = exponent * 10 + byte - ZERO
    }
    return isNegative ? -exponent : exponent
  }
}

/** @returns `mantissa · 10^power`, as near as a float32 needs it; NaN when that is not known. */
function scale(mantissa: number, power: number, isCut: boolean): number {
  const factor = POWERS[Math.abs(power)] ?? NaN
  const value = power < 0 ? mantissa / factor : mantissa * factor
  if (!isCut && Math.abs(power) <= EXACT_POWER_MAX) return value
  const low = Math.fround(value * BELOW)
  return low === Math.fround(value * ABOVE) ? low : NaN
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9
}
