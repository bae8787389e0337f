import type { Socket } from 'node:net'

import type { ClientSink, ReplyHeaders } from '../client-sink.ts'
import type { ReplyHeadEncoder } from './reply-head.ts'

// Up to here copying a body behind its head is cheaper than a write of two pieces.
const COPIED_BYTES_MAX = 16 * 1024
const LINE_END = Buffer.from('\r\n')
const LAST_CHUNK = Buffer.from('0\r\n\r\n')

/** What a reply needs of the connection it is sent on. */
export interface ReplyChannel {
  readonly socket: Socket
  readonly heads: ReplyHeadEncoder
  /** Whether the connection can carry another request after this reply. */
  readonly keepsAlive: boolean
  /** The last byte of the reply has been handed to the socket. */
  replyEnded(): void
}

/** The reply to one request on a connection of the raw front. Of no effect after its end. */
export class SocketSink implements ClientSink {
  readonly #channel: ReplyChannel
  #isStarted = false
  #isEnded = false
  /** Bytes of an announced length that are still to come; undefined for a chunked body. */
  #remainingBytes: number | undefined
  #onDrain: (() => void) | undefined
  #onClosed: (() => void) | undefined
  #isClosed = false

  constructor(channel: ReplyChannel) {
    this.#channel = channel
  }

  get isStarted(): boolean {
    return this.#isStarted
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  sendWhole(status: number, headers: ReplyHeaders, body: Buffer): void {
    if (this.#isStarted || this.#isClosed) {
      this.destroy()
      return
    }
    const { heads, keepsAlive, socket } = this.#channel
    const head = heads.encode(status, headers, { contentLength: body.length, keepsAlive })
    this.#isStarted = true
    if (body.length <= COPIED_BYTES_MAX) {
      const whole = Buffer.allocUnsafe(head.length + body.length)
      whole.write(head, 'latin1')
      body.copy(whole, head.length)
      socket.write(whole)
    } else {
      socket.cork()
      socket.write(head, 'latin1')
      socket.write(body)
      socket.uncork()
    }
    this.#end()
  }

  start(status: number, headers: ReplyHeaders): void {
    if (this.#isStarted || this.#isClosed) return
    const { heads, keepsAlive, socket } = this.#channel
    const { 'Content-Length': announced, ...others } = headers
    const contentLength = announced === undefined ? undefined : Number(announced)
    const head = heads.encode(status, others, { contentLength, keepsAlive })
    this.#isStarted = true
    this.#remainingBytes = contentLength
    // What is written in this turn of the event loop goes out with the head.
    socket.cork()
    socket.write(head, 'latin1')
    process.nextTick(() => socket.uncork())
  }

  write(chunk: Buffer): boolean {
    if (this.#isEnded || this.#isClosed) return true
    const { socket } = this.#channel
    if (chunk.length === 0) return !socket.writableNeedDrain
    if (this.#remainingBytes !== undefined) {
      this.#remainingBytes -= chunk.length
      // More than was announced would be read as the next reply.
      if (this.#remainingBytes < 0) this.destroy()
      else return socket.write(chunk)
      return true
    }
    socket.cork()
    socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
    socket.write(chunk)
    const isKeepingUp = socket.write(LINE_END)
    socket.uncork()
    return isKeepingUp
  }

  end(lastChunk?: Buffer): void {
    if (this.#isEnded || this.#isClosed) return
    if (lastChunk !== undefined) this.write(lastChunk)
    if (this.#remainingBytes === undefined) this.#channel.socket.write(LAST_CHUNK)
    else if (this.#remainingBytes > 0) {
      this.destroy()
      return
    }
    this.#end()
  }

  destroy(): void {
    if (!this.#isEnded) this.#channel.socket.destroy()
  }

  onDrain(listener: () => void): void {
    this.#onDrain = listener
  }

  onClosed(listener: () => void): void {
    if (this.#isClosed) listener()
    else this.#onClosed = listener
  }

  /** The socket has drained. */
  drained(): void {
    this.#onDrain?.()
  }

  /** The connection is gone. */
  closed(): void {
    this.#isClosed = true
    if (!this.#isEnded) this.#onClosed?.()
  }

  #end(): void {
    this.#isEnded = true
    this.#channel.replyEnded()
  }
}
