import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'

import { chooseDestination } from '../../wire/aws-dispatch.ts'
import { HEAD_BYTES_MAX, readHead } from '../../wire/http-head.ts'
import type { InvocationRequestHead } from '../../wire/http-head.ts'
import { tooSlow } from '../body.ts'
import type { BodyLimits } from '../body.ts'
import { ClientGone } from '../deadline.ts'
import type { GatewayLimits } from '../limits.ts'
import { LINGER_BYTES_MAX, LINGER_MS } from '../linger.ts'
import { refuseMalformed, refuseSlowHead } from '../malformed.ts'
import type { Incoming, RuntimeDestination } from '../serve-invocation.ts'
import type { ReplyHeadEncoder } from './reply-head.ts'
import { RequestBody } from './request-body.ts'
import { SocketSink } from './socket-sink.ts'
import type { ReplyChannel } from './socket-sink.ts'
import type { TimerWheel, WheelTimer } from './timer-wheel.ts'

// What a client may send ahead of its turn before its socket is left unread.
const AHEAD_BYTES_MAX = 64 * 1024
const LINE_FEED = 0x0a

/** What a connection takes from the front it belongs to. */
export interface ConnectionDeps {
  readonly limits: GatewayLimits
  readonly heads: ReplyHeadEncoder
  readonly wheel: TimerWheel
  readonly isStopping: () => boolean
  /** Answers one request, whatever goes wrong with it. */
  readonly serve: (incoming: Incoming, destination: RuntimeDestination) => Promise<void>
  /** Gives the socket, with these bytes still to be read, to node's HTTP server. */
  readonly handOver: (socket: Socket, unread: Buffer) => void
  /** The connection has left the front. */
  readonly onGone: (connection: ClientConnection) => void
}

/**
 * `reading` a head, or waiting for one · `serving` one request · `lingering`: answered, and what is left of the body is
 * dropped · `closing`: what is written is flushed · `gone`: closed, or handed over.
 */
type State = 'reading' | 'serving' | 'lingering' | 'closing' | 'gone'

interface Exchange {
  readonly body: RequestBody
  readonly sink: SocketSink
}

/**
 * One client connection of the raw front: one request at a time, its reply, then the next.
 *
 * A request sent ahead of its turn waits in memory, bounded, and is read after the reply before it.
 */
export class ClientConnection implements ReplyChannel {
  readonly socket: Socket
  readonly #deps: ConnectionDeps
  readonly #timer: WheelTimer
  #state: State = 'reading'
  /** Bytes that are not understood yet, or whose turn has not come. */
  #ahead: Buffer | undefined
  #exchange: Exchange | undefined
  #hasServed = false
  /** What the client had not read when the idle time last passed. */
  #unreadBytes = Number.POSITIVE_INFINITY

  constructor(socket: Socket, deps: ConnectionDeps) {
    this.socket = socket
    this.#deps = deps
    this.#timer = deps.wheel.createTimer(() => this.#expire())
    this.#timer.set(deps.limits.headersTimeoutMs)
    socket.on('data', this.#receive)
    socket.on('drain', this.#drained)
    socket.on('end', this.#ended)
    socket.on('error', ignore)
    socket.on('close', this.#closed)
  }

  get heads(): ReplyHeadEncoder {
    return this.#deps.heads
  }

  get keepsAlive(): boolean {
    return this.#exchange?.body.isWhole === true && !this.#deps.isStopping()
  }

  /** Whether nothing of a request has come since the last reply. */
  get isIdle(): boolean {
    return this.#state === 'reading' && this.#ahead === undefined
  }

  replyEnded(): void {
    const { body } = this.#exchange ?? {}
    if (body === undefined || body.isWhole) return
    // The answer came before the body's end: a failure.
    this.#state = 'lingering'
    body.drop()
    this.#timer.set(LINGER_MS)
    this.socket.resume()
  }

  /** Closes after what has been written is sent. */
  close(): void {
    if (this.#state === 'gone') return
    this.#state = 'closing'
    this.#ahead = undefined
    this.#timer.set(this.#deps.limits.idleTimeoutMs)
    this.socket.destroySoon()
  }

  readonly #receive = (bytes: Buffer): void => {
    switch (this.#state) {
      case 'reading':
        this.#readMore(bytes)
        return
      case 'serving':
        this.#keep(this.#exchange?.body.take(bytes))
        return
      case 'lingering':
        this.#drop(bytes)
        return
      case 'closing':
      case 'gone':
    }
  }

  #readMore(bytes: Buffer): void {
    const ahead = this.#ahead
    if (ahead === undefined) {
      this.#read(bytes)
      return
    }
    const all = Buffer.concat([ahead, bytes])
    // Bytes one by one must not have the whole head read again for each.
    const isWorthReading = all.length >= HEAD_BYTES_MAX || bytes.includes(LINE_FEED)
    if (isWorthReading) this.#read(all)
    else this.#ahead = all
  }

  #read(bytes: Buffer): void {
    const isFirst = this.#ahead === undefined
    this.#ahead = undefined
    const reading = readHead(bytes, 0)
    switch (reading.kind) {
      case 'hand-over':
        this.#handOver(bytes)
        return
      case 'incomplete':
        this.#ahead = bytes
        if (isFirst && this.#hasServed) this.#timer.set(this.#deps.limits.headersTimeoutMs)
        return
      case 'head': {
        const { method, target: rawTarget, rawHeaders } = reading
        const destination = chooseDestination({ method, rawTarget, rawHeaders })
        if (destination.kind !== 'runtime') this.#handOver(bytes)
        else this.#begin(reading, destination, bytes)
      }
    }
  }

  #begin(head: InvocationRequestHead, destination: RuntimeDestination, bytes: Buffer): void {
    const { method, target: rawTarget, rawHeaders, contentLength, headEnd } = head
    this.#timer.clear()
    this.#state = 'serving'
    const body = new RequestBody(contentLength)
    const sink = new SocketSink(this)
    this.#exchange = { body, sink }
    if (headEnd < bytes.length) this.#keep(body.take(bytes.subarray(headEnd)))
    const incoming: Incoming = {
      head: { method, rawTarget, rawHeaders },
      announcedBytes: contentLength,
      requestId: randomUUID(),
      client: sink,
      receiveBody: (bounds) => this.#receiveBody(body, bounds),
    }
    this.#deps.serve(incoming, destination).then(
      () => this.#finish(sink),
      () => this.socket.destroy(),
    )
  }

  #receiveBody(body: RequestBody, bounds: BodyLimits) {
    const received = body.receive(bounds)
    if (!body.isWhole) {
      this.#timer.set(bounds.bodyTimeoutMs)
      this.socket.resume()
    }
    return received
  }

  // Bytes after the end of the body that is being served are the next request's.
  #keep(next: Buffer | undefined): void {
    const body = this.#exchange?.body
    if (body?.isWhole === true) this.#timer.clear()
    if (next !== undefined) {
      this.#ahead = this.#ahead === undefined ? next : Buffer.concat([this.#ahead, next])
    }
    const aheadBytes = (this.#ahead?.length ?? 0) + (body?.earlyBytes ?? 0)
    if (aheadBytes > AHEAD_BYTES_MAX) this.socket.pause()
  }

  #finish(sink: SocketSink): void {
    if (this.#state !== 'serving' || this.#exchange?.sink !== sink) return
    if (!sink.isEnded) {
      this.socket.destroy()
      return
    }
    const { keepsAlive } = this
    this.#exchange = undefined
    this.#hasServed = true
    if (!keepsAlive) {
      this.close()
      return
    }
    this.#state = 'reading'
    this.#timer.set(this.#deps.limits.idleTimeoutMs)
    // Left unread for what came ahead: of the next request, or of this one's body before its turn.
    this.socket.resume()
    const next = this.#ahead
    if (next === undefined) return
    this.#ahead = undefined
    this.#read(next)
  }

  #drop(bytes: Buffer): void {
    const body = this.#exchange?.body
    body?.take(bytes)
    if (body === undefined || body.isWhole || body.droppedBytes > LINGER_BYTES_MAX) this.close()
  }

  #handOver(unread: Buffer): void {
    const { socket } = this
    this.#leave()
    socket.removeListener('data', this.#receive)
    socket.removeListener('drain', this.#drained)
    socket.removeListener('end', this.#ended)
    socket.removeListener('error', ignore)
    socket.removeListener('close', this.#closed)
    this.#deps.handOver(socket, unread)
  }

  #expire(): void {
    switch (this.#state) {
      case 'reading':
        if (this.#ahead !== undefined || !this.#hasServed) {
          refuseSlowHead(this.socket)
          this.close()
        } else this.#expireIdle()
        return
      case 'serving':
        this.#exchange?.body.fail(tooSlow(this.#deps.limits))
        return
      case 'lingering':
        this.close()
        return
      case 'closing':
        this.socket.destroy()
        return
      case 'gone':
    }
  }

  // A client that still reads a long reply is slow, not idle; one that has stopped reading holds memory.
  #expireIdle(): void {
    const unreadBytes = this.socket.writableLength
    if (unreadBytes === 0 || unreadBytes >= this.#unreadBytes) {
      this.socket.destroy()
      return
    }
    this.#unreadBytes = unreadBytes
    this.#timer.set(this.#deps.limits.idleTimeoutMs)
  }

  readonly #drained = (): void => {
    this.#unreadBytes = Number.POSITIVE_INFINITY
    this.#exchange?.sink.drained()
  }

  // The client has closed its side. In the middle of a request that means, as for node's HTTP server, that it is gone.
  readonly #ended = (): void => {
    if (this.#state === 'serving' && this.#exchange?.sink.isEnded === false) this.socket.destroy()
    else if (this.#state === 'reading' && this.#ahead !== undefined) {
      refuseMalformed(new Error('The head is cut off.'), this.socket, undefined)
    } else this.close()
  }

  readonly #closed = (): void => {
    const exchange = this.#exchange
    this.#leave()
    exchange?.body.fail(new ClientGone())
    exchange?.sink.closed()
  }

  #leave(): void {
    this.#state = 'gone'
    this.#ahead = undefined
    this.#exchange = undefined
    this.#timer.dispose()
    this.#deps.onGone(this)
  }
}

// 'close' follows.
function ignore(): void {}
