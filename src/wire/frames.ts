import { Buffer } from 'node:buffer'

/*
 * Frames between a gateway and a built-in model server: many invocations at once over one Unix socket.
 *
 *   head      length of the payload u32 · stream u32 · kind u8 · flags u8          all integers little-endian
 *   hello     magic u32 · version u16 · window u32                                 stream 0, first frame of each side
 *   request   time left ms u32 · body bytes u32 · headers · first part of the body
 *   reply     status u16 · headers · first part of the body
 *   …-data    the next part of the body
 *   reply-end nothing: the last part has been sent
 *   reply-failed  reason u8 · sentence, UTF-8
 *   cancel    nothing: nobody waits for the reply any more
 *   credit    bytes u32: so many more bytes of the reply's body may be sent
 *   pace      µs u32: what one call costs the server at present, its share of a run; stream 0
 *   headers   length u16 · for each: name id u8, or 0 · length u8 · name; length u16 · value (Latin-1, as in HTTP)
 *
 * The gateway opens streams, with ids that count up. A frame with the flag `last` ends its side's body. The model server
 * may send `window` bytes of a reply's body unasked, the rest as credit comes; so a slow reader stops its own stream and
 * no other. Requests need no credit: they are bounded in size and always read.
 */

/** Of everything above; the ends of a socket that differ do not talk. */
export const FRAMES_VERSION = 1

/** Longest payload. A longer body goes in parts, so that other streams get their turn between them. */
export const FRAME_PAYLOAD_BYTES_MAX = 1024 * 1024

/** Streams open on one connection at a time. */
export const STREAMS_MAX = 16_384

/** Bytes of a frame before its payload. */
export const FRAME_HEAD_BYTES = 10

/** What a frame is. */
export const FRAME = {
  hello: 1,
  request: 2,
  requestData: 3,
  reply: 4,
  replyData: 5,
  replyEnd: 6,
  replyFailed: 7,
  cancel: 8,
  credit: 9,
  pace: 10,
} as const

/** Flag: the last part of the body, or all of it. */
export const LAST = 1

/** Bytes that are not frames, or frames that make no sense. The connection is of no use any more. */
export class FrameError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'FrameError'
  }
}

/** Name and value pairs; names in lower case when parsed. */
export type FrameHeaders = Readonly<Record<string, string>>

/** Why an invocation was not answered. */
export const REPLY_FAILURES = ['refused', 'overloaded', 'expired', 'broken'] as const

/**
 * One of {@link REPLY_FAILURES}: `refused` (the server is stopping; the invocation was not looked at), `overloaded`
 * (too many wait), `expired` (nobody would wait for the reply), `broken` (the reply cannot be finished).
 */
export type ReplyFailure = (typeof REPLY_FAILURES)[number]

// Names that travel as one byte. Only ever appended to: the position is the number on the wire.
const KNOWN_NAMES = [
  'content-type',
  'accept',
  'content-length',
  'x-amzn-sagemaker-custom-attributes',
  'x-amzn-sagemaker-target-model',
  'x-amzn-sagemaker-target-variant',
  'x-amzn-sagemaker-session-id',
  'x-amzn-sagemaker-inference-id',
  'x-amzn-sagemaker-forwarded-api',
  'x-berth-model',
] as const

/** A header whose name travels as one byte. */
export type KnownHeader = (typeof KNOWN_NAMES)[number]

// By every spelling seen so far, so that the usual ones are not put in lower case for each invocation. Bounded: only
// spellings of known names are added.
const ID_BY_SPELLING = new Map<string, number>(KNOWN_NAMES.map((name, index) => [name, index + 1]))
const SPELLINGS_MAX = 256

const MAGIC = 0x4d_52_46_42
const HELLO_BYTES = 10
const U16_MAX = 0xff_ff
const NAME_BYTES_MAX = 0xff

/** Head of a frame in `target` at `at`. */
export function writeFrameHead(
  target: Buffer,
  at: number,
  frame: {
    readonly payloadBytes: number
    readonly streamId: number
    readonly kind: number
    readonly flags: number
  },
): void {
  target.writeUInt32LE(frame.payloadBytes, at)
  target.writeUInt32LE(frame.streamId, at + 4)
  target[at + 8] = frame.kind
  target[at + 9] = frame.flags
}

/** Payload of the hello of a side that takes `windowBytes` of a reply's body unasked. */
export function encodeHello(windowBytes: number): Buffer {
  const payload = Buffer.alloc(HELLO_BYTES)
  payload.writeUInt32LE(MAGIC, 0)
  payload.writeUInt16LE(FRAMES_VERSION, 4)
  payload.writeUInt32LE(windowBytes, 6)
  return payload
}

/** @returns the other side's window. @throws FrameError when it does not speak our version. */
export function parseHello(payload: Buffer): number {
  if (payload.length < HELLO_BYTES || payload.readUInt32LE(0) !== MAGIC) {
    throw new FrameError('The other side does not begin with a hello.')
  }
  const version = payload.readUInt16LE(4)
  if (version !== FRAMES_VERSION) {
    throw new FrameError(`The other side speaks frames ${version}, this one ${FRAMES_VERSION}.`)
  }
  return payload.readUInt32LE(6)
}

/** What a request's first frame says. */
export interface RequestFrame {
  readonly timeLeftMs: number
  /** Of the whole body. */
  readonly bodyBytes: number
  readonly headers: HeaderBlock
  /** The first part of the body, or all of it. */
  readonly part: Buffer
}

/** @throws FrameError */
export function parseRequestFrame(payload: Buffer): RequestFrame {
  if (payload.length < 10) throw new FrameError('A request frame is too short.')
  const bodyStart = 10 + payload.readUInt16LE(8)
  if (bodyStart > payload.length) throw new FrameError('The headers of a request are cut off.')
  return {
    timeLeftMs: payload.readUInt32LE(0),
    bodyBytes: payload.readUInt32LE(4),
    headers: new HeaderBlock(payload, 10, bodyStart),
    part: payload.subarray(bodyStart),
  }
}

/** What a reply's first frame says. */
export interface ReplyFrame {
  readonly statusCode: number
  readonly headers: HeaderBlock
  /** The first part of the body, or all of it. */
  readonly part: Buffer
}

/** @throws FrameError */
export function parseReplyFrame(payload: Buffer): ReplyFrame {
  if (payload.length < 4) throw new FrameError('A reply frame is too short.')
  const statusCode = payload.readUInt16LE(0)
  const bodyStart = 4 + payload.readUInt16LE(2)
  if (bodyStart > payload.length) throw new FrameError('The headers of a reply are cut off.')
  if (statusCode < 200 || statusCode > 999) {
    throw new FrameError(`A reply has the status ${statusCode}.`)
  }
  const headers = new HeaderBlock(payload, 4, bodyStart)
  return { statusCode, headers, part: payload.subarray(bodyStart) }
}

/** @throws FrameError */
export function parseFailureFrame(payload: Buffer): { reason: ReplyFailure; detail: string } {
  const reason = REPLY_FAILURES[(payload[0] ?? 0) - 1]
  if (reason === undefined) throw new FrameError('A reply failed for no known reason.')
  return { reason, detail: payload.toString('utf8', 1) }
}

/** @returns the number that a frame of credit or pace consists of. @throws FrameError */
export function parseNumberFrame(payload: Buffer): number {
  if (payload.length !== 4) throw new FrameError('A frame lacks its number.')
  return payload.readUInt32LE(0)
}

/** Number of a failure's reason on the wire. */
export function failureNumber(reason: ReplyFailure): number {
  return REPLY_FAILURES.indexOf(reason) + 1
}

/** Headers as they came; read only as far as somebody asks. */
export class HeaderBlock {
  readonly #bytes: Buffer
  readonly #start: number
  readonly #end: number

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes
    this.#start = start
    this.#end = end
  }

  /** One header of a known name. Does not look at the others' values. @throws FrameError */
  find(name: KnownHeader): string | undefined {
    const wanted = KNOWN_NAMES.indexOf(name) + 1
    for (let at = this.#start; at < this.#end;) {
      const id = this.#bytes[at] ?? 0
      const valueAt = this.#valueAt(at)
      const end = this.#endOf(valueAt)
      if (id === wanted) return readValue(wanted, this.#bytes, valueAt + 2, end)
      at = end
    }
    return undefined
  }

  /** All headers. A name that is repeated has the values joined. @throws FrameError */
  all(): Record<string, string> {
    // No prototype: a header may be called __proto__.
    const headers: Record<string, string> = Object.create(null)
    for (let at = this.#start; at < this.#end;) {
      const valueAt = this.#valueAt(at)
      const end = this.#endOf(valueAt)
      const name = this.#nameAt(at, valueAt)
      const value = this.#bytes.toString('latin1', valueAt + 2, end)
      const before = headers[name]
      headers[name] = before === undefined ? value : `${before}, ${value}`
      at = end
    }
    return headers
  }

  #nameAt(at: number, valueAt: number): string {
    const id = this.#bytes[at] ?? 0
    if (id === 0) return this.#bytes.toString('latin1', at + 2, valueAt).toLowerCase()
    const name = KNOWN_NAMES[id - 1]
    if (name === undefined) throw new FrameError(`No header has the number ${id}.`)
    return name
  }

  #valueAt(at: number): number {
    const id = this.#bytes[at] ?? 0
    return id === 0 ? at + 2 + (this.#bytes[at + 1] ?? 0) : at + 1
  }

  #endOf(valueAt: number): number {
    if (valueAt + 2 > this.#end) throw new FrameError('A header is cut off.')
    const end = valueAt + 2 + this.#bytes.readUInt16LE(valueAt)
    if (end > this.#end) throw new FrameError('A header is cut off.')
    return end
  }
}

/** The value that a header had when it was last read: nearly always it has it again, and needs no new string. */
interface LastValue {
  readonly bytes: Buffer
  readonly text: string
}

// By number of the name. Short ones only, so that nothing of size is kept.
const LAST_VALUES: (LastValue | undefined)[] = Array.from(['', ...KNOWN_NAMES], () => undefined)
const LAST_VALUE_BYTES_MAX = 64

function readValue(id: number, bytes: Buffer, start: number, end: number): string {
  const last = LAST_VALUES[id]
  if (last !== undefined && isAt(last.bytes, bytes, start, end)) return last.text
  const text = bytes.toString('latin1', start, end)
  if (text.length <= LAST_VALUE_BYTES_MAX) {
    LAST_VALUES[id] = { bytes: Buffer.from(text, 'latin1'), text }
  }
  return text
}

function isAt(wanted: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (wanted.length !== end - start) return false
  for (let index = 0; index < wanted.length; index += 1) {
    if (wanted[index] !== bytes[start + index]) return false
  }
  return true
}

/** Headers of many frames, written once. */
export class EncodedHeaders {
  readonly bytes: Buffer

  /** @throws FrameError when they are too long. */
  constructor(headers: FrameHeaders) {
    const bytes = Buffer.allocUnsafe(headerBytesMax(headers))
    this.bytes = bytes.subarray(0, writeHeaders(bytes, 0, headers))
  }
}

/** Most bytes that headers take on the wire. */
export function headerBytesMax(headers: FrameHeaders | EncodedHeaders): number {
  if (headers instanceof EncodedHeaders) return headers.bytes.length
  let bytes = 0
  for (const name in headers) bytes += 4 + name.length + (headers[name]?.length ?? 0)
  return bytes
}

/**
 * Writes headers into `target`, which has room for {@link headerBytesMax}.
 *
 * @returns where they end.
 * @throws FrameError a name or value, or all together, is longer than can be said.
 */
export function writeHeaders(
  target: Buffer,
  start: number,
  headers: FrameHeaders | EncodedHeaders,
): number {
  if (headers instanceof EncodedHeaders) {
    target.set(headers.bytes, start)
    return start + headers.bytes.length
  }
  let at = start
  for (const name in headers) {
    const value = headers[name] ?? ''
    const id = ID_BY_SPELLING.get(name) ?? learnSpelling(name)
    target[at++] = id
    if (id === 0) {
      if (name.length > NAME_BYTES_MAX) throw new FrameError('The name of a header is too long.')
      target[at++] = name.length
      at += target.write(name, at, 'latin1')
    }
    if (value.length > U16_MAX) throw new FrameError(`The value of header ${name} is too long.`)
    target.writeUInt16LE(value.length, at)
    at += 2 + target.write(value, at + 2, 'latin1')
  }
  if (at - start > U16_MAX) throw new FrameError('The headers are too long.')
  return at
}

function learnSpelling(name: string): number {
  const id = ID_BY_SPELLING.get(name.toLowerCase()) ?? 0
  if (id !== 0 && ID_BY_SPELLING.size < SPELLINGS_MAX) ID_BY_SPELLING.set(name, id)
  return id
}
