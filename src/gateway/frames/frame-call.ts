import type { Buffer } from 'node:buffer'
import type { ReplyFrame } from '../../wire/frames.ts'
import type { Call, CallFailure, CallReceiver, ContainerRequest } from '../transport.ts'

/** What a call needs of the connection that carries it. */
export interface Carrier {
  sendCredit(streamId: number, byteCount: number): void
  cancel(streamId: number): void
}

/**
 * One invocation as a stream of a frame connection.
 *
 * The server may send `windowBytes` of the reply unasked. Credit for what the client has taken is given back when half
 * of the window is used, so a whole small reply costs no credit frame, and none at all while the client is behind: the
 * server then pauses this stream and no other.
 */
export class FrameCall implements Call {
  readonly request: ContainerRequest
  readonly receiver: CallReceiver
  readonly startedAtMs = performance.now()
  readonly timeoutMs: number
  /** 0 until a connection carries it. */
  streamId = 0
  /** How much of the request's body has been sent. */
  sentBytes = 0
  #carrier: Carrier | undefined
  #isOver = false
  #isPaused = false
  #takenBytes = 0
  readonly #windowBytes: number

  constructor(
    request: ContainerRequest,
    receiver: CallReceiver,
    { timeoutMs, windowBytes }: { readonly timeoutMs: number; readonly windowBytes: number },
  ) {
    this.request = request
    this.receiver = receiver
    this.timeoutMs = timeoutMs
    this.#windowBytes = windowBytes
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** A connection carries it from now on, or again from the start. */
  carryBy(carrier: Carrier, streamId: number): void {
    this.#carrier = carrier
    this.streamId = streamId
    this.sentBytes = 0
  }

  resume(): void {
    this.#isPaused = false
    this.#giveCredit()
  }

  abort(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#carrier?.cancel(this.streamId)
  }

  takeHead(frame: ReplyFrame, isLast: boolean): void {
    this.receiver.onHead(frame.statusCode, frame.headers.all())
    this.takeChunk(frame.part, isLast)
  }

  takeChunk(chunk: Buffer, isLast: boolean): void {
    if (chunk.length > 0 && !this.#isOver) {
      this.#takenBytes += chunk.length
      if (!this.receiver.onChunk(chunk)) this.#isPaused = true
      if (!isLast) this.#giveCredit()
    }
    if (isLast) this.takeEnd()
  }

  takeEnd(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.receiver.onEnd()
  }

  fail(failure: CallFailure, detail: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.receiver.onFailure(failure, detail)
  }

  #giveCredit(): void {
    if (this.#isOver || this.#isPaused || this.#takenBytes * 2 < this.#windowBytes) return
    this.#carrier?.sendCredit(this.streamId, this.#takenBytes)
    this.#takenBytes = 0
  }
}
