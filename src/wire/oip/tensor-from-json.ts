import { OipError } from './errors.ts'
import { decodeString, type JsonValue } from './json.ts'
import { wrongKind } from './json-members.ts'
import { byteSizeOf, joinBytes, type Datatype } from './tensor.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39

/** Elements that a tensor shall have. */
interface Wanted {
  readonly datatype: Datatype
  readonly count: number
}

/**
 * The raw form of a JSON array, nested in whatever way, that has an element for each of the shape's; of one element also its
 * value alone.
 *
 * Integers beyond their datatype lose their upper bits, as in Triton.
 *
 * @throws OipError `INTERNAL`: an element has another type, or there are more or less of them.
 */
export function tensorFromJson(data: JsonValue, wanted: Wanted): Uint8Array {
  if (data.kind !== 'span') throw wrongKind('data', 'array')
  // Whatever is written for a tensor without elements, none is read.
  if (wanted.count === 0) return new Uint8Array(0)
  return wanted.datatype === 'BYTES' ? readStrings(data, wanted.count) : readNumbers(data, wanted)
}

type Span = Extract<JsonValue, { kind: 'span' }>

/** Calls with the place of each element that is no array; the text is known to be well-formed. */
function eachElement({ bytes, start, end }: Span, visit: (at: number) => number): void {
  let at = start
  while (at < end) {
    const byte = bytes[at] ?? 0
    // Brackets, commas and white space.
    if (byte === 0x5b || byte === 0x5d || byte === 0x2c || byte <= 0x20) at += 1
    else at = visit(at)
  }
}

function readNumbers(span: Span, { datatype, count }: Wanted): Uint8Array {
  const size = byteSizeOf(datatype) ?? 0
  // An element takes a character at least, and a comma between two: no more is allocated than was sent.
  if (count > (span.end - span.start + 1) / 2) throw wrongCount()
  const data = new Uint8Array(count * size)
  const view = new DataView(data.buffer)
  const write = WRITERS[datatype]
  let index = 0
  eachElement(span, (at) => {
    if (index === count) throw wrongCount()
    const end = endOfElement(span, at)
    write(view, index * size, { bytes: span.bytes, start: at, end })
    index += 1
    return end
  })
  if (index !== count) throw wrongCount()
  return data
}

/** Where a number or a word ends. Strings and objects are no elements of numbers, and end at once. */
function endOfElement({ bytes, end }: Span, start: number): number {
  let at = start + 1
  while (at < end) {
    const byte = bytes[at] ?? 0
    if (byte === 0x2c || byte === 0x5d || byte <= 0x20) break
    at += 1
  }
  return at
}

interface Token {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

type Write = (view: DataView, at: number, token: Token) => void

const WRITERS: Readonly<Record<Datatype, Write>> = {
  BOOL: (view, at, token) => view.setUint8(at, readBoolean(token)),
  UINT8: (view, at, token) => view.setUint8(at, smallInteger(token, false)),
  UINT16: (view, at, token) => view.setUint16(at, smallInteger(token, false), true),
  UINT32: (view, at, token) => view.setUint32(at, smallInteger(token, false), true),
  UINT64: (view, at, token) => view.setBigUint64(at, BigInt(readInteger(token, false)), true),
  INT8: (view, at, token) => view.setInt8(at, smallInteger(token, true)),
  INT16: (view, at, token) => view.setInt16(at, smallInteger(token, true), true),
  INT32: (view, at, token) => view.setInt32(at, smallInteger(token, true), true),
  INT64: (view, at, token) => view.setBigInt64(at, BigInt(readInteger(token, true)), true),
  FP32: (view, at, token) => view.setFloat32(at, readFloat(token), true),
  FP64: (view, at, token) => view.setFloat64(at, readFloat(token), true),
  FP16: refuse,
  BF16: refuse,
  BYTES: refuse,
}

function refuse(): never {
  throw new Error('This datatype has no numbers in JSON.')
}

function readBoolean({ bytes, start, end }: Token): number {
  const text = bytes.toString('latin1', start, end)
  if (text !== 'true' && text !== 'false') throw wrongKind('data', 'boolean')
  return text === 'true' ? 1 : 0
}

function smallInteger(token: Token, isSigned: boolean): number {
  const integer = readInteger(token, isSigned)
  return typeof integer === 'number' ? integer : Number(BigInt.asIntN(32, integer))
}

const SAFE_DIGITS = 15

/** A number while it is exact. */
function readInteger({ bytes, start, end }: Token, isSigned: boolean): number | bigint {
  const isNegative = bytes[start] === MINUS
  let value = 0
  for (let at = isNegative ? start + 1 : start; at < end; at++) {
    const digit = (bytes[at] ?? 0) - ZERO
    if (digit < 0 || digit > 9) throw wrongInteger(isSigned)
    value = value * 10 + digit
  }
  if (isNegative && !isSigned && value > 0) throw wrongInteger(isSigned)
  if (end - start <= SAFE_DIGITS) return isNegative && value !== 0 ? -value : value
  const exact = BigInt(bytes.toString('latin1', start, end))
  const isRepresentable = isSigned
    ? BigInt.asIntN(64, exact) === exact
    : BigInt.asUintN(64, exact) === exact
  if (!isRepresentable) throw wrongInteger(isSigned)
  return exact
}

function wrongInteger(isSigned: boolean): OipError {
  if (!isSigned) return wrongKind('data', 'unsigned')
  const message = 'attempt to access JSON non-signed-integer as signed-integer'
  return new OipError('INTERNAL', `Unable to parse 'data': ${message}`)
}

function readFloat({ bytes, start, end }: Token): number {
  const isNegative = bytes[start] === MINUS
  const short = readShortFloat(bytes, isNegative ? start + 1 : start, end)
  // An integer has no negative zero; a fraction has.
  if (short !== undefined && (short !== 0 || end - start <= 2))
    return isNegative && short !== 0 ? -short : short
  const first = bytes[isNegative ? start + 1 : start] ?? 0
  if (first >= ZERO && first <= NINE) {
    const value = Number(bytes.toString('latin1', start, end))
    if (!Number.isNaN(value)) return value
  }
  if (first === 0x49) return isNegative ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  if (first === 0x4e) return Number.NaN
  const message = 'attempt to access JSON non-number as double'
  throw new OipError('INTERNAL', `Unable to parse 'data': ${message}`)
}

const POWERS = Array.from({ length: SAFE_DIGITS + 1 }, (_, exponent) => 10 ** exponent)

/** A number without exponent whose digits and whose power of ten are exact, so that one division rounds right. */
function readShortFloat(bytes: Buffer, start: number, end: number): number | undefined {
  if (end - start > SAFE_DIGITS) return undefined
  let digits = 0
  let pointAt = end - 1
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0
    if (byte === POINT) pointAt = at
    else if (byte >= ZERO && byte <= NINE) digits = digits * 10 + (byte - ZERO)
    else return undefined
  }
  const power = POWERS[end - 1 - pointAt]
  return power === undefined || end === start ? undefined : digits / power
}

function readStrings(span: Span, count: number): Uint8Array {
  const parts: Uint8Array[] = []
  eachElement(span, (at) => {
    if (span.bytes[at] !== QUOTE) throw wrongString()
    let end = at + 1
    let hasEscapes = false
    while (span.bytes[end] !== QUOTE) {
      if (span.bytes[end] === BACKSLASH) {
        hasEscapes = true
        end += 1
      }
      end += 1
    }
    if (parts.length === count) throw wrongCount()
    const raw = span.bytes.subarray(at + 1, end)
    parts.push(hasEscapes ? Buffer.from(decodeString(raw, true)) : raw)
    return end + 1
  })
  if (parts.length !== count) throw wrongCount()
  return joinBytes(parts)
}

function wrongString(): OipError {
  const message = 'attempt to access JSON non-string as string'
  return new OipError('INTERNAL', `Unable to parse JSON bytes array: ${message}`)
}

function wrongCount(): OipError {
  return new OipError(
    'INTERNAL',
    "Unable to parse 'data': Shape does not match true shape of 'data' field",
  )
}
