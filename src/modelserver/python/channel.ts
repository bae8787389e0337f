import { Buffer } from 'node:buffer'
import type { Duplex } from 'node:stream'

/*
 * Frames between the model server and a Python worker, on a socket pair that the worker inherits as descriptor 3:
 *
 *   u32 bytes that follow · u8 kind · u32 call · u32 bytes of head · head (JSON) · body
 *
 * All integers little-endian. To a worker the head ends with spaces, so that the body begins at a multiple of 8 behind its
 * beginning. `worker/berth_worker/channel.py` is the other end. What the kinds and heads mean is the business of the
 * program that the worker runs.
 */

/** One frame. The body is part of what was read: copy it to keep it. */
export interface WorkerFrame {
  readonly kind: number
  readonly callId: number
  readonly head: unknown
  readonly body: Buffer
}

const HEAD_BYTES = 13
const LENGTH_BYTES = 4
/** Where the elements of any type may begin. */
export const BODY_ALIGNMENT = 8
// The length of a frame is a u32.
const BODY_BYTES_MAX = 2 ** 32 - 2 ** 24
// Copying less than this costs less than another write.
const COPIED_BYTES_MAX = 16 * 1024
// A reply is at most what a client may get; a worker that announces more has lost its place.
const FRAME_BYTES_MAX = 1024 * 1024 * 1024

/** The model server's end of a channel. */
export class WorkerChannel {
  readonly #socket: Duplex
  readonly #onFrame: (frame: WorkerFrame) => void
  #chunks: Buffer[] = []
  #heldBytes = 0
  /** Of the frame that is being read, with its head; 0 while that is not known. */
  #frameBytes = 0

  /** @param onLost what came is not of this form. */
  constructor(
    socket: Duplex,
    onFrame: (frame: WorkerFrame) => void,
    onLost: (reason: string) => void,
  ) {
    this.#socket = socket
    this.#onFrame = onFrame
    socket.on('data', (chunk: Buffer) => {
      try {
        this.#read(chunk)
      } catch (error) {
        socket.destroy()
        onLost(error instanceof Error ? error.message : String(error))
      }
    })
    // The worker's exit tells why.
    socket.on('error', () => undefined)
  }

  /**
   * Sends one frame; the parts are its body, one behind the other.
   *
   * @throws RangeError the body is too large for a frame.
   */
  send(kind: number, callId: number, head: unknown, ...parts: readonly Uint8Array[]): void {
    if (this.#socket.destroyed) return
    const bodyBytes = parts.reduce((sum, { byteLength }) => sum + byteLength, 0)
    if (bodyBytes > BODY_BYTES_MAX) {
      throw new RangeError(`a body of ${bodyBytes} bytes is more than ${BODY_BYTES_MAX}`)
    }
    const text = JSON.stringify(head)
    const padding = -Buffer.byteLength(text) & (BODY_ALIGNMENT - 1)
    const headText = Buffer.from(text + ' '.repeat(padding))
    const start = Buffer.allocUnsafe(HEAD_BYTES)
    start.writeUInt32LE(HEAD_BYTES - LENGTH_BYTES + headText.length + bodyBytes, 0)
    start.writeUInt8(kind, LENGTH_BYTES)
    start.writeUInt32LE(callId, 5)
    start.writeUInt32LE(headText.length, 9)
    if (bodyBytes <= COPIED_BYTES_MAX) {
      this.#socket.write(Buffer.concat([start, headText, ...parts]))
      return
    }
    this.#socket.cork()
    this.#socket.write(Buffer.concat([start, headText]))
    for (const part of parts) if (part.byteLength > 0) this.#socket.write(part)
    this.#socket.uncork()
  }

  /** Stops reading: the worker stops in turn once the socket is full. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Tells the worker to end. */
  end(): void {
    this.#socket.end()
  }

  #read(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#heldBytes += chunk.length
    while (this.#heldBytes >= HEAD_BYTES) {
      if (this.#frameBytes === 0) this.#frameBytes = LENGTH_BYTES + this.#gather().readUInt32LE(0)
      if (this.#frameBytes < HEAD_BYTES || this.#frameBytes > FRAME_BYTES_MAX) {
        throw new Error(`a frame of ${this.#frameBytes} bytes`)
      }
      if (this.#heldBytes < this.#frameBytes) return
      this.#take()
    }
  }

  #take(): void {
    const held = this.#gather()
    const frame = held.subarray(0, this.#frameBytes)
    const rest = held.subarray(this.#frameBytes)
    this.#chunks = rest.length > 0 ? [rest] : []
    this.#heldBytes = rest.length
    this.#frameBytes = 0
    const bodyAt = HEAD_BYTES + frame.readUInt32LE(9)
    this.#onFrame({
      kind: frame.readUInt8(LENGTH_BYTES),
      callId: frame.readUInt32LE(5),
      head: JSON.parse(frame.toString('utf8', HEAD_BYTES, bodyAt)),
      body: frame.subarray(bodyAt),
    })
  }

  #gather(): Buffer {
    const [first] = this.#chunks
    if (this.#chunks.length === 1 && first !== undefined) return first
    const whole = Buffer.concat(this.#chunks)
    this.#chunks = [whole]
    return whole
  }
}
