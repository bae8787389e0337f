import { Buffer } from 'node:buffer'
import {
  encodeHello,
  failureNumber,
  FRAME,
  FRAME_HEAD_BYTES,
  headerBytesMax,
  LAST,
  writeFrameHead,
  writeHeaders,
} from './frames.ts'
import type { EncodedHeaders, FrameHeaders, ReplyFailure } from './frames.ts'

// Small frames are written one behind the other into slabs: one write for many frames, one allocation for many writes.
// A slab is not written to where it has been handed out, until its owner says that it may be.
const SLAB_BYTES = 64 * 1024
// A body up to this size is copied into the slab; a longer one goes as it is, beside it. Copying 16 KiB takes about a
// microsecond, as does one more buffer in a write.
const COPIED_BYTES_MAX = 16 * 1024

/** What a request's first frame says. */
export interface RequestHead {
  readonly timeLeftMs: number
  readonly bodyBytes: number
  readonly headers: FrameHeaders
}

/** What a reply's first frame says. */
export interface ReplyHead {
  readonly statusCode: number
  readonly headers: FrameHeaders | EncodedHeaders
}

/** Frames that are to be sent, collected until somebody takes them. Bodies must not change until they are sent. */
export class FrameOutbox {
  #buffers: Buffer[] = []
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  /** What of the slab has not been handed out yet. */
  #start = 0
  #end = 0
  #byteCount = 0

  /** Bytes that wait to be taken. */
  get byteCount(): number {
    return this.#byteCount + this.#end - this.#start
  }

  /** Everything so far, in order. */
  take(): Buffer[] {
    this.#cut()
    const buffers = this.#buffers
    this.#buffers = []
    this.#byteCount = 0
    return buffers
  }

  /** What was taken has been sent, and nobody will look at it again: its memory may serve for what comes next. */
  reuse(): void {
    if (this.#start !== this.#end || this.#buffers.length > 0) return
    this.#start = 0
    this.#end = 0
  }

  hello(windowBytes: number): void {
    this.#plain(FRAME.hello, 0, encodeHello(windowBytes))
  }

  /** @throws FrameError when the headers are too long; nothing has been added then. */
  request(streamId: number, head: RequestHead, part: Buffer, isLast: boolean): void {
    const at = this.#reserve(FRAME_HEAD_BYTES + 10 + headerBytesMax(head.headers))
    const payloadAt = at + FRAME_HEAD_BYTES
    const end = writeHeaders(this.#slab, payloadAt + 10, head.headers)
    const timeLeftMs = Math.min(0xff_ff_ff_ff, Math.max(0, Math.floor(head.timeLeftMs)))
    this.#slab.writeUInt32LE(timeLeftMs, payloadAt)
    this.#slab.writeUInt32LE(head.bodyBytes, payloadAt + 4)
    this.#slab.writeUInt16LE(end - payloadAt - 10, payloadAt + 8)
    const payloadBytes = end - payloadAt + part.length
    const flags = isLast ? LAST : 0
    writeFrameHead(this.#slab, at, { payloadBytes, streamId, kind: FRAME.request, flags })
    this.#end = end
    this.#append(part)
  }

  requestData(streamId: number, part: Buffer, isLast: boolean): void {
    this.#plain(FRAME.requestData, streamId, part, isLast ? LAST : 0)
  }

  /**
   * @param part bytes, or text of ASCII alone.
   * @throws FrameError when the headers are too long; nothing has been added then.
   */
  reply(streamId: number, head: ReplyHead, part: Uint8Array | string, isLast: boolean): void {
    const at = this.#reserve(FRAME_HEAD_BYTES + 4 + headerBytesMax(head.headers))
    const payloadAt = at + FRAME_HEAD_BYTES
    const end = writeHeaders(this.#slab, payloadAt + 4, head.headers)
    this.#slab.writeUInt16LE(head.statusCode, payloadAt)
    this.#slab.writeUInt16LE(end - payloadAt - 4, payloadAt + 2)
    const payloadBytes = end - payloadAt + part.length
    const flags = isLast ? LAST : 0
    writeFrameHead(this.#slab, at, { payloadBytes, streamId, kind: FRAME.reply, flags })
    this.#end = end
    this.#append(part)
  }

  replyData(streamId: number, part: Uint8Array, isLast: boolean): void {
    this.#plain(FRAME.replyData, streamId, part, isLast ? LAST : 0)
  }

  replyEnd(streamId: number): void {
    this.#plain(FRAME.replyEnd, streamId, NOTHING)
  }

  replyFailed(streamId: number, reason: ReplyFailure, detail: string): void {
    const payload = Buffer.concat([Buffer.of(failureNumber(reason)), Buffer.from(detail)])
    this.#plain(FRAME.replyFailed, streamId, payload)
  }

  cancel(streamId: number): void {
    this.#plain(FRAME.cancel, streamId, NOTHING)
  }

  credit(streamId: number, byteCount: number): void {
    this.#number(FRAME.credit, streamId, byteCount)
  }

  pace(callUs: number): void {
    this.#number(FRAME.pace, 0, Math.min(0xff_ff_ff_ff, Math.ceil(callUs)))
  }

  #number(kind: number, streamId: number, value: number): void {
    const payload = Buffer.allocUnsafe(4)
    payload.writeUInt32LE(value)
    this.#plain(kind, streamId, payload)
  }

  #plain(kind: number, streamId: number, payload: Uint8Array, flags = 0): void {
    const at = this.#reserve(FRAME_HEAD_BYTES)
    writeFrameHead(this.#slab, at, { payloadBytes: payload.length, streamId, kind, flags })
    this.#end = at + FRAME_HEAD_BYTES
    this.#append(payload)
  }

  /** Makes room for so many bytes in one piece. @returns where. */
  #reserve(byteCount: number): number {
    if (this.#end + byteCount > this.#slab.length) {
      this.#cut()
      this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, byteCount))
      this.#start = 0
      this.#end = 0
    }
    return this.#end
  }

  #append(part: Uint8Array | string): void {
    if (part.length === 0) return
    if (part.length <= COPIED_BYTES_MAX) {
      const at = this.#reserve(part.length)
      if (typeof part === 'string') this.#slab.write(part, at, 'latin1')
      else this.#slab.set(part, at)
      this.#end = at + part.length
      return
    }
    const bytes = typeof part === 'string' ? Buffer.from(part, 'latin1') : part
    this.#cut()
    this.#buffers.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
    this.#byteCount += bytes.length
  }

  #cut(): void {
    if (this.#start === this.#end) return
    this.#buffers.push(this.#slab.subarray(this.#start, this.#end))
    this.#byteCount += this.#end - this.#start
    this.#start = this.#end
  }
}

const NOTHING = Buffer.alloc(0)
