import type { Buffer } from 'node:buffer'
import type { Socket } from 'node:net'
import { FrameOutbox } from '../../wire/frame-outbox.ts'
import { FrameReader } from '../../wire/frame-reader.ts'
import type { Frame } from '../../wire/frame-reader.ts'
import {
  FRAME,
  FrameError,
  LAST,
  parseNumberFrame,
  parseRequestFrame,
  STREAMS_MAX,
} from '../../wire/frames.ts'
import { IncomingCall } from './incoming-call.ts'
import type { Carrier } from './incoming-call.ts'

// The gateway only needs the order of magnitude: whether calls are worth a worker each.
const PACE_CHANGE = 1.5

/** What a session tells its server. */
export interface SessionListener {
  /** A request begins. @returns false when it has been answered already and its body is of no use. */
  readonly admit: (call: IncomingCall) => boolean
  /** A request has come whole. */
  readonly onCall: (call: IncomingCall) => void
  /** A call is over, in whatever way. */
  readonly onForget: (call: IncomingCall) => void
  /** The connection is gone; with the reason when the other side did not speak frames. */
  readonly onClosed: (reason: string | undefined) => void
}

/** One gateway's connection and the calls on it. All replies of one turn of the event loop leave in one write. */
export class FrameSession implements Carrier {
  readonly outbox = new FrameOutbox()
  readonly #socket: Socket
  readonly #listener: SessionListener
  readonly #callByStream = new Map<number, IncomingCall>()
  readonly #reader: FrameReader
  #windowBytes = 0
  /** When the bytes came that are being read: one look at the clock for all the calls in them. */
  #nowMs = 0
  #announcedUs = 0
  #isFlushPlanned = false
  #reason: string | undefined

  constructor(socket: Socket, listener: SessionListener) {
    this.#socket = socket
    this.#listener = listener
    this.#reader = new FrameReader(
      (windowBytes) => (this.#windowBytes = windowBytes),
      (frame) => this.#take(frame),
    )
    // Nothing is granted: requests need no credit.
    this.outbox.hello(0)
    this.planFlush()
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    // A broken connection also closes.
    socket.on('error', () => undefined)
    socket.once('close', () => {
      for (const call of this.#callByStream.values()) call.cancel()
      listener.onClosed(this.#reason)
    })
  }

  get outstandingCount(): number {
    return this.#callByStream.size
  }

  get windowBytes(): number {
    return this.#windowBytes
  }

  planFlush(): void {
    if (this.#isFlushPlanned) return
    this.#isFlushPlanned = true
    setImmediate(() => this.flush())
  }

  flush(): void {
    this.#isFlushPlanned = false
    if (this.#socket.destroyed) return
    const buffers = this.outbox.take()
    if (buffers.length > 1) this.#socket.cork()
    for (const buffer of buffers) this.#socket.write(buffer)
    if (buffers.length > 1) this.#socket.uncork()
    // The system has it all: nearly always.
    if (buffers.length > 0 && this.#socket.writableLength === 0) this.outbox.reuse()
  }

  /** Says what a call costs at present, where the last word on it is far off. */
  announcePace(callUs: number): void {
    const ratio = callUs / this.#announcedUs
    if (ratio > 1 / PACE_CHANGE && ratio < PACE_CHANGE) return
    this.#announcedUs = callUs
    this.outbox.pace(callUs)
    this.planFlush()
  }

  /** Closes after what is to be sent. */
  end(): void {
    this.flush()
    this.#socket.end()
  }

  forget(call: IncomingCall): void {
    if (this.#callByStream.delete(call.streamId)) this.#listener.onForget(call)
  }

  #read(chunk: Buffer): void {
    this.#nowMs = performance.now()
    try {
      this.#reader.read(chunk)
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      this.#reason = error.message
      this.#socket.destroy()
    }
  }

  #take({ kind, flags, streamId, payload }: Frame): void {
    if (kind === FRAME.request) return this.#open(streamId, payload, (flags & LAST) !== 0)
    const call = this.#callByStream.get(streamId)
    switch (kind) {
      // Calls that are over may still be spoken of: the other side has not seen their end yet.
      case FRAME.requestData:
        call?.addToBody(payload)
        if ((flags & LAST) !== 0 && call !== undefined) this.#complete(call)
        return
      case FRAME.cancel:
        return call?.cancel()
      case FRAME.credit: {
        const byteCount = parseNumberFrame(payload)
        return call?.addCredit(byteCount)
      }
      default:
        throw new FrameError(`A gateway does not send frames of kind ${kind}.`)
    }
  }

  #open(streamId: number, payload: Buffer, isLast: boolean): void {
    if (this.#callByStream.has(streamId)) throw new FrameError(`Stream ${streamId} is open.`)
    if (this.#callByStream.size >= STREAMS_MAX) throw new FrameError('Too many streams are open.')
    const call = new IncomingCall(this, streamId, parseRequestFrame(payload), this.#nowMs)
    this.#callByStream.set(streamId, call)
    if (this.#listener.admit(call) && isLast) this.#complete(call)
  }

  #complete(call: IncomingCall): void {
    if (!call.hasWholeBody) throw new FrameError('A request has fewer bytes than it announced.')
    this.#listener.onCall(call)
  }
}
