import { Buffer } from 'node:buffer'
import type { FrameOutbox } from '../../wire/frame-outbox.ts'
import type {
  EncodedHeaders,
  FrameHeaders,
  HeaderBlock,
  ReplyFailure,
  RequestFrame,
} from '../../wire/frames.ts'
import { FrameError } from '../../wire/frames.ts'

// A longer reply goes in parts of this size, so that other streams get their turn between them.
const PART_BYTES = 128 * 1024

/** What a call needs of the connection that carries it. */
export interface Carrier {
  readonly outbox: FrameOutbox
  /** Bytes of a reply's body that may be sent unasked. */
  readonly windowBytes: number
  /** Something was put into the outbox. */
  planFlush(): void
  /** The call has been answered, or its gateway does not wait for it any more. */
  forget(call: IncomingCall): void
}

/** One invocation that came as a stream of frames, and its reply. */
export class IncomingCall {
  readonly streamId: number
  readonly headers: HeaderBlock
  readonly bodyBytes: number
  /** On the clock of `performance.now()`. */
  readonly arrivedAtMs: number
  /** On the same clock: nobody waits for the reply after it. */
  readonly deadlineAtMs: number
  /** Called when nobody waits for the reply any more. */
  onCancel: (() => void) | undefined
  /** Called when more of the reply may be written, after {@link write} returned false. */
  onDrain: (() => void) | undefined
  readonly #carrier: Carrier
  #body: Buffer
  #receivedBytes: number
  #isOver = false
  #creditBytes: number
  /** Parts of the reply that wait for credit. */
  #waiting: Buffer[] = []
  #isEnding = false

  constructor(carrier: Carrier, streamId: number, frame: RequestFrame, nowMs: number) {
    if (frame.part.length > frame.bodyBytes) throw tooManyBytes()
    this.#carrier = carrier
    this.streamId = streamId
    this.headers = frame.headers
    this.bodyBytes = frame.bodyBytes
    this.arrivedAtMs = nowMs
    this.deadlineAtMs = nowMs + frame.timeLeftMs
    this.#creditBytes = carrier.windowBytes
    this.#receivedBytes = frame.part.length
    this.#body = frame.part
  }

  /** The whole body, once it has come. In one piece it is the frame's own memory. */
  get body(): Buffer {
    return this.#body
  }

  get hasWholeBody(): boolean {
    return this.#receivedBytes === this.bodyBytes
  }

  /** Answered to the end, or nobody waits for the reply any more. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** @throws FrameError more bytes than announced. */
  addToBody(part: Buffer): void {
    if (this.#receivedBytes + part.length > this.bodyBytes) throw tooManyBytes()
    // Memory for the whole is taken only now: the call has been admitted.
    if (this.#body.length === this.#receivedBytes) this.#body = grown(this.#body, this.bodyBytes)
    part.copy(this.#body, this.#receivedBytes)
    this.#receivedBytes += part.length
  }

  /**
   * Sends a whole reply.
   *
   * @param body bytes, which must not change afterwards, or text of ASCII alone.
   */
  reply(statusCode: number, headers: FrameHeaders | EncodedHeaders, body: Buffer | string): void {
    if (this.#isOver) return
    if (body.length <= this.#creditBytes && body.length <= PART_BYTES) {
      this.#isOver = true
      this.#carrier.outbox.reply(this.streamId, { statusCode, headers }, body, true)
      this.#carrier.forget(this)
      this.#carrier.planFlush()
      return
    }
    this.startReply(statusCode, headers)
    this.write(typeof body === 'string' ? Buffer.from(body, 'latin1') : body)
    this.endReply()
  }

  /** Sends the head of a reply; its body follows by {@link write} and {@link endReply}. */
  startReply(statusCode: number, headers: FrameHeaders | EncodedHeaders): void {
    if (this.#isOver) return
    this.#carrier.outbox.reply(this.streamId, { statusCode, headers }, NOTHING, false)
    this.#carrier.planFlush()
  }

  /** @returns false when the gateway has to read first: wait for {@link onDrain}. */
  write(chunk: Buffer): boolean {
    if (this.#isOver) return true
    if (chunk.length > 0) this.#waiting.push(chunk)
    this.#pump()
    return this.#waiting.length === 0
  }

  endReply(): void {
    if (this.#isOver) return
    this.#isEnding = true
    this.#pump()
  }

  /** Ends without a reply, or in the middle of one. */
  fail(reason: ReplyFailure, detail: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#carrier.outbox.replyFailed(this.streamId, reason, detail)
    this.#carrier.forget(this)
    this.#carrier.planFlush()
  }

  /** The gateway takes so many bytes more. */
  addCredit(byteCount: number): void {
    this.#creditBytes += byteCount
    const wasWaiting = this.#waiting.length > 0
    this.#pump()
    if (wasWaiting && this.#waiting.length === 0 && !this.#isOver) this.onDrain?.()
  }

  /** Nobody waits any more: cancelled, or the connection is gone. */
  cancel(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#waiting = []
    this.#carrier.forget(this)
    this.onCancel?.()
  }

  // Sends what credit allows; the end with the last part where it is known by then.
  #pump(): void {
    for (let chunk = this.#waiting[0]; chunk !== undefined; chunk = this.#waiting[0]) {
      const partBytes = Math.min(chunk.length, this.#creditBytes, PART_BYTES)
      if (partBytes === 0) return
      this.#creditBytes -= partBytes
      if (partBytes === chunk.length) this.#waiting.shift()
      else this.#waiting[0] = chunk.subarray(partBytes)
      const isLast = this.#isEnding && this.#waiting.length === 0
      this.#carrier.outbox.replyData(this.streamId, chunk.subarray(0, partBytes), isLast)
      this.#carrier.planFlush()
      if (isLast) return this.#finish()
    }
    if (!this.#isEnding) return
    this.#carrier.outbox.replyEnd(this.streamId)
    this.#carrier.planFlush()
    this.#finish()
  }

  #finish(): void {
    this.#isOver = true
    this.#carrier.forget(this)
  }
}

const NOTHING = Buffer.alloc(0)

function grown(first: Buffer, byteCount: number): Buffer {
  const whole = Buffer.allocUnsafeSlow(byteCount)
  first.copy(whole)
  return whole
}

function tooManyBytes(): FrameError {
  return new FrameError('A request has more bytes than it announced.')
}
