import { Buffer } from 'node:buffer'

/** Bytes that are read piece by piece: a file too large to hold, or a buffer. */
export interface ByteSource {
  readonly byteLength: number
  /** Fewer bytes only at the end. */
  read(offset: number, byteLength: number): Buffer
}

/** One field of a message: where it begins and ends, and its payload. */
export interface Field {
  readonly number: number
  readonly start: number
  readonly end: number
  /** Payload of a length-delimited field; empty (`end`, `end`) otherwise. */
  readonly payload: { readonly start: number; readonly end: number }
  /** Value of a varint field, else 0. Exact to 2^53. */
  readonly value: number
}

/** The bytes are not a protobuf message. */
export class ProtobufError extends Error {}

// Tag and length are two varints of at most ten bytes each.
const FIELD_HEAD_BYTES = 20

/**
 * Walks the fields of the message between two offsets. Payloads are skipped, not read, so a gigabyte of weights costs nothing.
 *
 * Source: Protocol Buffers encoding, wire types 0, 1, 2 and 5 (groups do not occur in ONNX).
 *
 * @throws ProtobufError: a field is malformed or ends behind the message.
 */
export function* walkFields(source: ByteSource, start: number, end: number): Generator<Field> {
  let position = start
  while (position < end) {
    const field = readField(source, position)
    if (field.end > end) throw new ProtobufError(`it ends inside a field at byte ${position}`)
    yield field
    position = field.end
  }
}

function readField(source: ByteSource, start: number): Field {
  const head = source.read(start, FIELD_HEAD_BYTES)
  const tag = readVarint(head, 0, start)
  const number = Math.floor(tag.value / 8)
  const bodyStart = start + tag.end
  if (number === 0) throw new ProtobufError(`byte ${start} does not begin a field`)
  const fixed = (byteLength: number): Field => {
    const end = bodyStart + byteLength
    return { number, start, end, payload: { start: end, end }, value: 0 }
  }
  switch (tag.value % 8) {
    case 0: {
      const { value, end: bytes } = readVarint(head, tag.end, start)
      const end = start + bytes
      return { number, start, end, payload: { start: end, end }, value }
    }
    case 1:
      return fixed(8)
    case 2: {
      const length = readVarint(head, tag.end, start)
      const payloadStart = start + length.end
      const end = payloadStart + length.value
      return { number, start, end, payload: { start: payloadStart, end }, value: 0 }
    }
    case 5:
      return fixed(4)
    default:
      throw new ProtobufError(`byte ${start} does not begin a field`)
  }
}

function readVarint(bytes: Buffer, from: number, offset: number): { value: number; end: number } {
  let value = 0n
  for (let index = from; index < from + 10; index += 1) {
    const byte = bytes[index]
    if (byte === undefined) throw new ProtobufError(`it ends inside a field at byte ${offset}`)
    value |= BigInt(byte & 0x7f) << BigInt(7 * (index - from))
    // int64 is written in two's complement: a negative number has ten bytes.
    if (byte < 0x80) return { value: Number(BigInt.asIntN(64, value)), end: index + 1 }
  }
  throw new ProtobufError(`byte ${offset} does not begin a field`)
}

/** Text of a length-delimited field. */
export function textOf(source: ByteSource, { payload }: Field): string {
  return source.read(payload.start, payload.end - payload.start).toString('utf8')
}

/** Writes a length-delimited field. */
export function encodeField(number: number, payload: Buffer | string): Buffer {
  const bytes = Buffer.from(payload)
  return Buffer.concat([encodeVarint(number * 8 + 2), encodeVarint(bytes.length), bytes])
}

/** Writes a varint field; the value is not negative. */
export function encodeVarintField(number: number, value: number): Buffer {
  return Buffer.concat([encodeVarint(number * 8), encodeVarint(value)])
}

/** Writes an integer up to 2^53; a negative one in two's complement of 64 bits, as int32 and int64 fields have it. */
export function encodeVarint(value: number): Buffer {
  const bytes: number[] = []
  if (value < 0) {
    let wide = BigInt.asUintN(64, BigInt(value))
    for (; wide >= 0x80n; wide >>= 7n) bytes.push(Number(wide % 0x80n) + 0x80)
    return Buffer.from([...bytes, Number(wide)])
  }
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80)
  return Buffer.from([...bytes, rest])
}
