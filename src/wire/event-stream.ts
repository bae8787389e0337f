import { crc32 } from 'node:zlib'

const OVERHEAD_BYTES = 16
const STRING_TYPE = 7
// Clients refuse larger payloads. Source: data-plane reference §3.3.
const PAYLOAD_BYTES_MAX = 25_165_824

const PAYLOAD_PART = encodeHeaders([
  [':message-type', 'event'],
  [':event-type', 'PayloadPart'],
  [':content-type', 'application/octet-stream'],
])
const MODEL_STREAM_ERROR = exceptionHeaders('ModelStreamError')
const INTERNAL_STREAM_FAILURE = exceptionHeaders('InternalStreamFailure')

/**
 * Encodes a piece of the container's reply as a PayloadPart frame. Where pieces begin and end means nothing.
 *
 * There is no end frame: the stream ends with the HTTP body. Source: data-plane reference §3.4.
 */
export function encodePayloadPart(bytes: Uint8Array): Buffer {
  if (bytes.length > PAYLOAD_BYTES_MAX) {
    throw new RangeError(`payload of ${bytes.length} bytes does not fit one frame`)
  }
  return encodeFrame(PAYLOAD_PART, bytes)
}

/** Encodes a failure of the model after the reply began. Nothing may follow it. */
export function encodeModelStreamError(
  errorCode: 'ModelInvocationTimeExceeded' | 'StreamBroken',
  message: string,
): Buffer {
  const body = JSON.stringify({ ErrorCode: errorCode, Message: message })
  return encodeFrame(MODEL_STREAM_ERROR, Buffer.from(body))
}

/** Encodes a failure of Berth after the reply began. Nothing may follow it. */
export function encodeInternalStreamFailure(message: string): Buffer {
  return encodeFrame(INTERNAL_STREAM_FAILURE, Buffer.from(JSON.stringify({ Message: message })))
}

//  0       4            8             12        12+H       12+H+P
//  | total | headers H  | CRC of 0..7 | headers | payload P | CRC of all before |
function encodeFrame(headers: Uint8Array, payload: Uint8Array): Buffer {
  const totalBytes = OVERHEAD_BYTES + headers.length + payload.length
  const frame = Buffer.allocUnsafe(totalBytes)
  frame.writeUInt32BE(totalBytes, 0)
  frame.writeUInt32BE(headers.length, 4)
  frame.writeUInt32BE(crc32(frame.subarray(0, 8)), 8)
  frame.set(headers, 12)
  frame.set(payload, 12 + headers.length)
  frame.writeUInt32BE(crc32(frame.subarray(0, totalBytes - 4)), totalBytes - 4)
  return frame
}

function exceptionHeaders(exceptionType: string): Buffer {
  return encodeHeaders([
    [':message-type', 'exception'],
    [':exception-type', exceptionType],
    [':content-type', 'application/json'],
  ])
}

function encodeHeaders(pairs: readonly (readonly [name: string, value: string])[]): Buffer {
  const parts = pairs.map(([name, value]) => {
    const head = Buffer.from([name.length, ...Buffer.from(name), STRING_TYPE, 0, 0])
    head.writeUInt16BE(Buffer.byteLength(value), head.length - 2)
    return Buffer.concat([head, Buffer.from(value)])
  })
  return Buffer.concat(parts)
}
