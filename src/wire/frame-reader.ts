import { Buffer } from 'node:buffer'
import {
  FRAME,
  FRAME_HEAD_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  FrameError,
  parseHello,
} from './frames.ts'

/** One whole frame after the hello. */
export interface Frame {
  readonly kind: number
  readonly flags: number
  readonly streamId: number
  /** A view of memory that nothing else writes to. */
  readonly payload: Buffer
}

const KIND_MAX = Math.max(...Object.values(FRAME))

/**
 * Cuts one side's bytes into frames.
 *
 * A frame that lies whole in a chunk is a view of it; one that is spread over several is copied once into its exact
 * size, however small the chunks are.
 */
export class FrameReader {
  readonly #onHello: (windowBytes: number) => void
  readonly #onFrame: (frame: Frame) => void
  readonly #head = Buffer.alloc(FRAME_HEAD_BYTES)
  #headBytes = 0
  #kind = 0
  #flags = 0
  #streamId = 0
  #payload: Buffer | undefined
  #payloadBytes = 0
  #hasHello = false

  constructor(onHello: (windowBytes: number) => void, onFrame: (frame: Frame) => void) {
    this.#onHello = onHello
    this.#onFrame = onFrame
  }

  /** Hands on every frame that `chunk` completes. @throws FrameError when the bytes are not frames. */
  read(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#payload !== undefined) at = this.#fill(this.#payload, chunk, at)
      else if (this.#headBytes === 0 && chunk.length - at >= FRAME_HEAD_BYTES) {
        at = this.#begin(chunk, at, chunk)
      } else {
        const end = Math.min(chunk.length, at + FRAME_HEAD_BYTES - this.#headBytes)
        this.#headBytes += chunk.copy(this.#head, this.#headBytes, at, end)
        at = end
        if (this.#headBytes === FRAME_HEAD_BYTES) at = this.#begin(this.#head, 0, chunk, at)
      }
    }
  }

  // Reads the head that lies in `from`; its payload begins in `chunk` at `bodyAt`.
  #begin(from: Buffer, headAt: number, chunk: Buffer, bodyAt = headAt + FRAME_HEAD_BYTES): number {
    const length = from.readUInt32LE(headAt)
    this.#streamId = from.readUInt32LE(headAt + 4)
    this.#kind = from[headAt + 8] ?? 0
    this.#flags = from[headAt + 9] ?? 0
    this.#headBytes = 0
    this.#refuseNonsense(length)
    const end = bodyAt + length
    if (end <= chunk.length) {
      this.#hand(chunk.subarray(bodyAt, end))
      return end
    }
    this.#payload = Buffer.allocUnsafe(length)
    this.#payloadBytes = 0
    return bodyAt
  }

  #fill(payload: Buffer, chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + payload.length - this.#payloadBytes)
    this.#payloadBytes += chunk.copy(payload, this.#payloadBytes, at, end)
    if (this.#payloadBytes === payload.length) {
      this.#payload = undefined
      this.#hand(payload)
    }
    return end
  }

  // Before memory is taken for it.
  #refuseNonsense(length: number): void {
    if (length > FRAME_PAYLOAD_BYTES_MAX) {
      throw new FrameError(`A frame of ${length} bytes is longer than frames may be.`)
    }
    const isHello = this.#kind === FRAME.hello
    if (isHello === this.#hasHello) throw new FrameError('A hello is missing or repeated.')
    const isOfConnection = isHello || this.#kind === FRAME.pace
    if (isOfConnection !== (this.#streamId === 0)) {
      throw new FrameError(`A frame of kind ${this.#kind} is on stream ${this.#streamId}.`)
    }
    if (this.#kind === 0 || this.#kind > KIND_MAX) {
      throw new FrameError(`No frame is of kind ${this.#kind}.`)
    }
  }

  #hand(payload: Buffer): void {
    if (this.#hasHello) {
      this.#onFrame({ kind: this.#kind, flags: this.#flags, streamId: this.#streamId, payload })
      return
    }
    const windowBytes = parseHello(payload)
    this.#hasHello = true
    this.#onHello(windowBytes)
  }
}
