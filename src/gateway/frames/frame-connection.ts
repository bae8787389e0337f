import type { Buffer } from 'node:buffer'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { FrameOutbox } from '../../wire/frame-outbox.ts'
import { FrameReader } from '../../wire/frame-reader.ts'
import type { Frame } from '../../wire/frame-reader.ts'
import {
  FRAME,
  FrameError,
  LAST,
  parseFailureFrame,
  parseNumberFrame,
  parseReplyFrame,
  STREAMS_MAX,
} from '../../wire/frames.ts'
import type { CallFailure } from '../transport.ts'
import type { Carrier, FrameCall } from './frame-call.ts'
import type { ReplyPolling } from '../../platform/reply-polling.ts'
import { Uploads } from './uploads.ts'

const STREAM_ID_MAX = 0xff_ff_ff_ff

/** How a connection is used. */
export interface ConnectionOptions {
  /** What a server may send of a reply unasked. */
  readonly windowBytes: number
  /** Undefined to sleep while replies are awaited, however soon they come. */
  readonly polling: ReplyPolling | undefined
}

/** What the owner of a connection hears. */
export interface ConnectionListener {
  /** It could not be made: nothing of these calls was sent. */
  readonly onRefused: (calls: readonly FrameCall[], detail: string) => void
  /** It is gone, for whatever reason; its calls have been told. */
  readonly onClosed: () => void
}

/**
 * One socket to one worker, with many calls on it.
 *
 * Frames of one turn of the event loop leave in one write (`setImmediate` comes after all sockets that were readable have
 * been read): 64 clients that ask at the same time cost one system call, not 64.
 */
export class FrameConnection implements Carrier {
  readonly #listener: ConnectionListener
  readonly #socket: Socket
  readonly #reader = new FrameReader(
    () => undefined,
    (frame) => this.#take(frame),
  )
  readonly #outbox = new FrameOutbox()
  readonly #uploads = new Uploads(this.#outbox)
  readonly #callByStream = new Map<number, FrameCall>()
  readonly #polling: ReplyPolling | undefined
  #lastStreamId = 0
  /** What a call costs the worker; infinite until it says. */
  #callUs = Infinity
  #isConnected = false
  #isFlushPlanned = false
  #isClosing = false
  #failure: CallFailure = 'reset'
  #detail = 'The connection was closed.'

  constructor(socketPath: string, options: ConnectionOptions, listener: ConnectionListener) {
    const { windowBytes, polling } = options
    this.#listener = listener
    this.#polling = polling
    this.#outbox.hello(windowBytes)
    this.#socket = connect({ path: socketPath })
    this.#socket.once('connect', () => {
      this.#isConnected = true
      this.#flush()
    })
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk))
    this.#socket.on('drain', () => this.#flush())
    this.#socket.on('error', (error) => (this.#detail = error.message))
    this.#socket.once('close', () => this.#lose())
  }

  get outstandingCount(): number {
    return this.#callByStream.size
  }

  /** How long the worker is expected to be busy with what it has; infinite when it has something and has not said. */
  get backlogUs(): number {
    return this.#callByStream.size === 0 ? 0 : this.#callByStream.size * this.#callUs
  }

  get isFull(): boolean {
    return this.#callByStream.size >= STREAMS_MAX
  }

  /** Sends a call. @throws FrameError its headers cannot be said. */
  send(call: FrameCall): void {
    const streamId = this.#freeStreamId()
    call.carryBy(this, streamId)
    this.#uploads.begin(call)
    this.#callByStream.set(streamId, call)
    this.#planFlush()
  }

  sendCredit(streamId: number, byteCount: number): void {
    if (!this.#callByStream.has(streamId)) return
    this.#outbox.credit(streamId, byteCount)
    this.#planFlush()
  }

  cancel(streamId: number): void {
    const call = this.#callByStream.get(streamId)
    if (call === undefined) return
    this.#remove(streamId)
    this.#uploads.drop(call)
    this.#outbox.cancel(streamId)
    this.#planFlush()
  }

  /** Ends when its last call has. */
  close(): void {
    this.#isClosing = true
    if (this.#callByStream.size === 0) this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #freeStreamId(): number {
    do {
      this.#lastStreamId = this.#lastStreamId === STREAM_ID_MAX ? 1 : this.#lastStreamId + 1
    } while (this.#callByStream.has(this.#lastStreamId))
    return this.#lastStreamId
  }

  #remove(streamId: number): void {
    this.#callByStream.delete(streamId)
    if (this.#isClosing && this.#callByStream.size === 0) this.#socket.end()
  }

  #planFlush(): void {
    if (this.#isFlushPlanned || !this.#isConnected) return
    this.#isFlushPlanned = true
    setImmediate(() => {
      this.#isFlushPlanned = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#socket.destroyed || !this.#isConnected) return
    if (!this.#socket.writableNeedDrain) this.#uploads.continue()
    const buffers = this.#outbox.take()
    if (buffers.length === 0) return
    if (buffers.length > 1) this.#socket.cork()
    for (const buffer of buffers) this.#socket.write(buffer)
    if (buffers.length > 1) this.#socket.uncork()
    // The system has it all: nearly always.
    if (this.#socket.writableLength === 0) this.#outbox.reuse()
    if (this.#uploads.hasMore && !this.#socket.writableNeedDrain) this.#planFlush()
    this.#polling?.begin(this.backlogUs)
  }

  #read(chunk: Buffer): void {
    this.#polling?.end()
    try {
      this.#reader.read(chunk)
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      this.#failure = 'malformed'
      this.#detail = error.message
      this.#socket.destroy()
    }
  }

  #take({ kind, flags, streamId, payload }: Frame): void {
    if (kind === FRAME.pace) {
      this.#callUs = parseNumberFrame(payload)
      return
    }
    const call = this.#callByStream.get(streamId)
    // It was cancelled while this was on its way.
    if (call === undefined) return
    const isLast = (flags & LAST) !== 0
    switch (kind) {
      case FRAME.reply: {
        const frame = parseReplyFrame(payload)
        if (isLast) this.#finish(call)
        return call.takeHead(frame, isLast)
      }
      case FRAME.replyData:
        if (isLast) this.#finish(call)
        return call.takeChunk(payload, isLast)
      case FRAME.replyEnd:
        this.#finish(call)
        return call.takeEnd()
      case FRAME.replyFailed: {
        const { reason, detail } = parseFailureFrame(payload)
        this.#finish(call)
        return call.fail(reason === 'broken' ? 'reset' : reason, detail)
      }
      default:
        throw new FrameError(`A server does not send frames of kind ${kind}.`)
    }
  }

  // A reply may come to its end before the request has: what is left of the body is of no use then.
  #finish(call: FrameCall): void {
    this.#remove(call.streamId)
    if (this.#uploads.drop(call)) {
      this.#outbox.cancel(call.streamId)
      this.#planFlush()
    }
  }

  #lose(): void {
    const calls = [...this.#callByStream.values()]
    this.#callByStream.clear()
    this.#listener.onClosed()
    if (!this.#isConnected) this.#listener.onRefused(calls, this.#detail)
    else for (const call of calls) call.fail(this.#failure, this.#detail)
  }
}
