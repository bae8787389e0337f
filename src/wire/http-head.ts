/** Request line and headers together, with the empty line. AWS documents 16 KiB for the head of a REST request. */
export const HEAD_BYTES_MAX = 16 * 1024
const HEADER_COUNT_MAX = 100
// Nothing that long is served; ten digits are far from where numbers lose precision.
const LENGTH_DIGITS_MAX = 10

/** The head of one `POST /endpoints/…` with a body of known length. */
export interface InvocationRequestHead {
  readonly kind: 'head'
  readonly method: 'POST'
  /** Path and query exactly as sent. */
  readonly target: string
  /** Name, value, name, value …, as node's `rawHeaders`. */
  readonly rawHeaders: readonly string[]
  readonly contentLength: number
  /** Index of the first byte of the body. */
  readonly headEnd: number
}

/** What the bytes received so far are. */
export type HeadReading =
  | InvocationRequestHead
  /** Regular so far, and not at its end. */
  | { readonly kind: 'incomplete' }
  /** Something that is not fully understood here. Whether it is an error is for node's HTTP server to say. */
  | { readonly kind: 'hand-over' }

const INCOMPLETE: HeadReading = { kind: 'incomplete' }
const HAND_OVER: HeadReading = { kind: 'hand-over' }

const START = bytesOf('POST /endpoints/')
const VERSION = bytesOf(' HTTP/1.1\r\n')
const SPACE = 0x20
const COLON = 0x3a
const CARRIAGE_RETURN = 0x0d
const LINE_FEED = 0x0a
const ZERO = 0x30

const ALPHANUMERIC = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
// Source: RFC 3986 appendix A: path and query. Node accepts more; what is outside is its to read.
const IS_TARGET_BYTE = byteSet(`${ALPHANUMERIC}-._~%!$&'()*+,;=:@/?`)
// Source: RFC 9110 section 5.6.2.
const IS_NAME_BYTE = byteSet(`${ALPHANUMERIC}!#$%&'*+-.^_\`|~`)
// Visible ASCII and spaces: no tabs, no other control characters, nothing above 0x7e.
const IS_VALUE_BYTE = byteSet(Array.from({ length: 95 }, (_, k) => String.fromCharCode(32 + k)))

/** What a header of a certain name means for the way its message is read. */
type Role = 'length' | 'host' | 'connection' | 'single' | 'foreign'

interface SpecialHeader {
  readonly lowerName: Uint8Array
  readonly role: Role
  /** One bit of the set of special headers seen. */
  readonly bit: number
}

// `foreign` headers change framing or the order of the conversation. `single` ones mean one thing once; two of them are
// where readers begin to differ. Anything else may come any number of times.
const ROLE_BY_NAME: Readonly<Record<string, Role>> = {
  'content-length': 'length',
  host: 'host',
  connection: 'connection',
  'transfer-encoding': 'foreign',
  upgrade: 'foreign',
  expect: 'foreign',
  te: 'foreign',
  trailer: 'foreign',
  'proxy-connection': 'foreign',
  'http2-settings': 'foreign',
  authorization: 'single',
  'content-type': 'single',
  'content-encoding': 'single',
  date: 'single',
  'x-amz-date': 'single',
  'x-amz-content-sha256': 'single',
  'x-amz-security-token': 'single',
  'x-amz-target': 'single',
}
const SPECIAL_BY_LENGTH = groupByLength(ROLE_BY_NAME)

/**
 * Reads the head of an invocation strictly: every byte must be one that all readers of HTTP/1.1 agree on. Pure.
 *
 * It never refuses: whatever it does not fully understand is handed over to node's HTTP server with all its bytes.
 * Where it does say `head`, node's parser reads the same target, headers, length and end, which a differential fuzz
 * asserts (`test/fuzz/http-head.test.ts`): two readers that disagree are how requests are smuggled.
 *
 * A loop over bytes and one string that all parts are cut from: about 2 µs for a signed head of 12 headers.
 */
export function readHead(bytes: Buffer, offset: number): HeadReading {
  const limit = Math.min(bytes.length, offset + HEAD_BYTES_MAX)
  const unended = bytes.length - offset >= HEAD_BYTES_MAX ? HAND_OVER : INCOMPLETE
  let at = matchBytes(bytes, offset, limit, START)
  if (at < 0) return HAND_OVER
  if (at === limit) return unended
  while (at < limit && IS_TARGET_BYTE[bytes[at] ?? 0] === 1) at += 1
  const targetEnd = at
  at = matchBytes(bytes, at, limit, VERSION)
  if (at < 0) return HAND_OVER
  const lines = new HeaderLines(bytes, at, limit)
  const end = lines.read()
  if (end === HeaderLines.FOREIGN) return HAND_OVER
  if (end === HeaderLines.UNENDED) return unended
  const { contentLength } = lines
  if (contentLength === undefined) return HAND_OVER
  const text = bytes.toString('latin1', offset, end)
  return {
    kind: 'head',
    method: 'POST',
    target: text.slice('POST '.length, targetEnd - offset),
    rawHeaders: lines.cut(text, offset),
    contentLength,
    headEnd: end,
  }
}

/** The header lines of one head. */
class HeaderLines {
  static readonly FOREIGN = -1
  static readonly UNENDED = -2
  readonly #bytes: Buffer
  readonly #limit: number
  #at: number
  /** Start and end of each name and value, four numbers a line. */
  readonly #bounds: number[] = []
  #seenBits = 0
  #contentLength = -1
  #hasHost = false

  constructor(bytes: Buffer, at: number, limit: number) {
    this.#bytes = bytes
    this.#limit = limit
    this.#at = at
  }

  /** Undefined when the headers lack the host or the length. */
  get contentLength(): number | undefined {
    return this.#hasHost && this.#contentLength >= 0 ? this.#contentLength : undefined
  }

  /** @returns index after the empty line, `FOREIGN` or `UNENDED`. */
  read(): number {
    for (;;) {
      if (this.#at >= this.#limit) return HeaderLines.UNENDED
      if (this.#bytes[this.#at] === CARRIAGE_RETURN) return this.#readLineEnd()
      if (this.#bounds.length === 4 * HEADER_COUNT_MAX) return HeaderLines.FOREIGN
      const at = this.#readLine()
      if (at < 0) return at
      this.#at = at
    }
  }

  cut(text: string, offset: number): string[] {
    const parts: string[] = []
    for (let index = 0; index + 1 < this.#bounds.length; index += 2) {
      const start = (this.#bounds[index] ?? 0) - offset
      parts.push(text.slice(start, (this.#bounds[index + 1] ?? 0) - offset))
    }
    return parts
  }

  #readLine(): number {
    const bytes = this.#bytes
    const limit = this.#limit
    const nameStart = this.#at
    let at = nameStart
    while (at < limit && IS_NAME_BYTE[bytes[at] ?? 0] === 1) at += 1
    if (at === limit) return HeaderLines.UNENDED
    const nameEnd = at
    if (nameEnd === nameStart || bytes[at] !== COLON) return HeaderLines.FOREIGN
    at += 1
    while (at < limit && bytes[at] === SPACE) at += 1
    const valueStart = at
    while (at < limit && IS_VALUE_BYTE[bytes[at] ?? 0] === 1) at += 1
    let valueEnd = at
    while (valueEnd > valueStart && bytes[valueEnd - 1] === SPACE) valueEnd -= 1
    this.#at = at
    const next = this.#readLineEnd()
    if (next < 0) return next
    this.#bounds.push(nameStart, nameEnd, valueStart, valueEnd)
    return this.#note(nameStart, nameEnd, valueStart, valueEnd) ? next : HeaderLines.FOREIGN
  }

  #readLineEnd(): number {
    const at = this.#at
    if (at >= this.#limit) return HeaderLines.UNENDED
    if (this.#bytes[at] !== CARRIAGE_RETURN) return HeaderLines.FOREIGN
    if (at + 1 >= this.#limit) return HeaderLines.UNENDED
    return this.#bytes[at + 1] === LINE_FEED ? at + 2 : HeaderLines.FOREIGN
  }

  // Four numbers instead of a record: this runs for every line.
  #note(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): boolean {
    const special = findSpecial(this.#bytes, nameStart, nameEnd)
    if (special === undefined) return true
    if (special.role === 'foreign' || (this.#seenBits & special.bit) !== 0) return false
    this.#seenBits |= special.bit
    switch (special.role) {
      case 'length':
        this.#contentLength = parseLength(this.#bytes, valueStart, valueEnd)
        return this.#contentLength >= 0
      case 'host':
        this.#hasHost = valueEnd > valueStart
        return this.#hasHost
      case 'connection':
        return this.#bytes.toString('latin1', valueStart, valueEnd).toLowerCase() === 'keep-alive'
      case 'single':
        return true
    }
  }
}

/** @returns index after the expected bytes, `limit` when they are cut off there, -1 when others come. */
function matchBytes(bytes: Buffer, at: number, limit: number, expected: Uint8Array): number {
  for (let index = 0; index < expected.length; index++) {
    if (at + index >= limit) return limit
    if (bytes[at + index] !== expected[index]) return -1
  }
  return at + expected.length
}

/** @returns -1 unless the bytes are a decimal number in its shortest form. */
function parseLength(bytes: Buffer, start: number, end: number): number {
  const digitCount = end - start
  if (digitCount === 0 || digitCount > LENGTH_DIGITS_MAX) return -1
  if (digitCount > 1 && bytes[start] === ZERO) return -1
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] ?? 0) - ZERO
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

function findSpecial(bytes: Buffer, start: number, end: number): SpecialHeader | undefined {
  const candidates = SPECIAL_BY_LENGTH[end - start]
  if (candidates === undefined) return undefined
  for (const candidate of candidates) {
    if (isNamed(bytes, start, candidate.lowerName)) return candidate
  }
  return undefined
}

function isNamed(bytes: Buffer, start: number, lowerName: Uint8Array): boolean {
  for (let index = 0; index < lowerName.length; index++) {
    // Of the bytes a name may have, only capitals become a letter of these names by this bit.
    if (((bytes[start + index] ?? 0) | 0x20) !== lowerName[index]) return false
  }
  return true
}

function groupByLength(
  roleByName: Readonly<Record<string, Role>>,
): readonly (readonly SpecialHeader[] | undefined)[] {
  const groups: SpecialHeader[][] = []
  for (const [index, [name, role]] of Object.entries(roleByName).entries()) {
    const group = (groups[name.length] ??= [])
    group.push({ lowerName: bytesOf(name), role, bit: 1 << index })
  }
  return groups
}

function byteSet(characters: Iterable<string>): Uint8Array {
  const set = new Uint8Array(256)
  for (const character of characters) set[character.charCodeAt(0)] = 1
  return set
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}
