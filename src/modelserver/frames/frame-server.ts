import { Buffer } from 'node:buffer'
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import type { Log } from '../log.ts'
import { FrameSession } from './frame-session.ts'
import type { IncomingCall } from './incoming-call.ts'

/** What a server of frames needs. */
export interface FrameServerOptions {
  /** A larger request body is answered with 413. */
  readonly bodyBytesMax: number
  /** Of all requests that have not been answered; past it they are refused as overload. */
  readonly heldBytesMax: number
  /** A request has come whole. It is to be answered or failed, once. */
  readonly onCall: (call: IncomingCall) => void
  readonly log: Log
}

/** Takes invocations as frames on one Unix socket, from any number of gateways. */
export class FrameServer {
  readonly server: Server
  readonly #options: FrameServerOptions
  readonly #sessions = new Set<FrameSession>()
  #heldBytes = 0
  #isClosing = false
  #whenQuiet: (() => void) | undefined
  #servedCount = 0

  constructor(options: FrameServerOptions) {
    this.#options = options
    this.server = createServer((socket) => {
      const session = new FrameSession(socket, {
        admit: (call) => this.#admit(call),
        onCall: (call) => {
          this.#servedCount += 1
          this.#options.onCall(call)
        },
        onForget: (call) => this.#forget(call),
        onClosed: (reason) => {
          this.#sessions.delete(session)
          if (reason !== undefined) options.log('warn', 'frame connection dropped', { reason })
        },
      })
      this.#sessions.add(session)
    })
  }

  /** Invocations that have not been answered. */
  get outstandingCount(): number {
    let count = 0
    for (const session of this.#sessions) count += session.outstandingCount
    return count
  }

  /** Invocations that came whole, ever. */
  get servedCount(): number {
    return this.#servedCount
  }

  /** Accepts no connection and no invocation more; resolves when all have been answered. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.server.close()
    await new Promise<void>((resolve) => {
      this.#whenQuiet = resolve
      this.#resolveWhenQuiet()
    })
    for (const session of this.#sessions) session.end()
  }

  /** Tells every gateway what a call costs at present. */
  announcePace(callUs: number): void {
    for (const session of this.#sessions) session.announcePace(callUs)
  }

  /** Sends what has been answered so far, without waiting for the turn of the event loop to end. */
  flush(): void {
    for (const session of this.#sessions) session.flush()
  }

  // Before memory is taken for the body.
  #admit(call: IncomingCall): boolean {
    const { bodyBytesMax, heldBytesMax } = this.#options
    this.#heldBytes += call.bodyBytes
    if (this.#isClosing) call.fail('refused', 'The model server is stopping.')
    else if (call.bodyBytes > bodyBytesMax) call.reply(413, JSON_TYPE, tooLarge(bodyBytesMax))
    else if (this.#heldBytes > heldBytesMax) {
      call.fail('overloaded', `Bodies of more than ${heldBytesMax} bytes wait.`)
    }
    return !call.isOver
  }

  #forget(call: IncomingCall): void {
    this.#heldBytes -= call.bodyBytes
    this.#resolveWhenQuiet()
  }

  #resolveWhenQuiet(): void {
    if (this.#whenQuiet !== undefined && this.outstandingCount === 0) this.#whenQuiet()
  }
}

const JSON_TYPE = { 'content-type': 'application/json' }

function tooLarge(bodyBytesMax: number): Buffer {
  const error = `The request body is larger than ${bodyBytesMax} bytes.`
  return Buffer.from(JSON.stringify({ error }))
}
