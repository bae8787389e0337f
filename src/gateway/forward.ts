import { Buffer } from 'node:buffer'
import type { IncomingHttpHeaders } from 'node:http'

import type { Deadline } from './deadline.ts'
import { DeadlinePassed } from './deadline.ts'
import type { Reply } from './reply.ts'
import type { Call, CallFailure, CallReceiver, ContainerRequest, Transport } from './transport.ts'

// An error reply is kept in memory to be quoted in ModelError; tracebacks are a few kibibytes.
const ERROR_BODY_BYTES_MAX = 256 * 1024

/** How one attempt on one container ended. */
export type ForwardOutcome =
  /** The reply went to the client to its last byte. */
  | { readonly kind: 'replied' }
  /** The container answered with another status than 2xx; `body` is undefined when it is too long to quote. */
  | {
      readonly kind: 'refused-by-model'
      readonly statusCode: number
      readonly body: Buffer | undefined
    }
  | { readonly kind: 'reply-too-large'; readonly statusCode: number }
  /** No connection: the container knows nothing of the invocation. */
  | { readonly kind: 'refused'; readonly detail: string }
  /** The connection broke before a byte of the reply. */
  | { readonly kind: 'reset'; readonly detail: string }
  /** The container has too much waiting, and did not run the invocation. */
  | { readonly kind: 'overloaded'; readonly detail: string }
  /** The reply began and broke; the client has seen nothing of it. */
  | { readonly kind: 'broken'; readonly detail: string }
  /** The deadline passed; the client has seen nothing. */
  | { readonly kind: 'timed-out' }
  /** The reply failed after the client had a part of it, and was ended as a broken one. */
  | { readonly kind: 'broken-off'; readonly reason: 'timed-out' | 'broken' }
  | { readonly kind: 'client-gone' }

/** How an invocation of one container or a chain of them ended. */
export type PipelineOutcome = ForwardOutcome & {
  /** Hostname of the container of a chain that ended it; absent where there is no chain. */
  readonly from?: string
}

/**
 * Sends one invocation to one instance and its reply to the client, chunk by chunk at the client's pace.
 *
 * Resolves after the last byte of the container's reply, so that the slot which the caller holds counts the instance's
 * real work. Never rejects for anything a container or client can do. When the deadline ends, the container
 * is told that nobody waits.
 */
export function forward(
  transport: Transport,
  request: ContainerRequest,
  reply: Reply,
  deadline: Deadline,
): Promise<ForwardOutcome> {
  const exchange = new Exchange(request, reply, deadline)
  exchange.begin(transport)
  return exchange.outcome
}

class Exchange implements CallReceiver {
  readonly outcome: Promise<ForwardOutcome>
  readonly #request: ContainerRequest
  readonly #reply: Reply
  readonly #deadline: Deadline
  readonly #settle: (outcome: ForwardOutcome) => void
  #call: Call | undefined
  #isSettled = false
  /** 0 until the head of the reply has come. */
  #statusCode = 0
  #receivedBytes = 0
  #errorBody: Buffer[] | undefined

  constructor(request: ContainerRequest, reply: Reply, deadline: Deadline) {
    this.#request = request
    this.#reply = reply
    this.#deadline = deadline
    const { promise, resolve } = Promise.withResolvers<ForwardOutcome>()
    this.outcome = promise
    this.#settle = resolve
    deadline.onEnd(() => this.#abandon())
    reply.onDrain(() => this.#call?.resume())
  }

  begin(transport: Transport): void {
    const call = transport.call(this.#request, this, this.#deadline.remainingMs())
    this.#call = call
    if (this.#isSettled) call.abort()
  }

  onHead(statusCode: number, headers: IncomingHttpHeaders): void {
    if (this.#isSettled) return
    this.#statusCode = statusCode
    if (statusCode >= 300) {
      this.#errorBody = []
      return
    }
    const announcedBytes = Number(headers['content-length'])
    if (announcedBytes > this.#request.replyBytesMax) {
      this.#end({ kind: 'reply-too-large', statusCode })
      return
    }
    const { streamTimeoutMs } = this.#request
    if (streamTimeoutMs !== undefined) this.#deadline.extendTo(streamTimeoutMs)
    this.#reply.start({ statusCode, headers })
  }

  onChunk(chunk: Buffer): boolean {
    if (this.#isSettled) return true
    this.#receivedBytes += chunk.length
    if (this.#errorBody !== undefined) this.#addToErrorBody(this.#errorBody, chunk)
    else if (this.#receivedBytes > this.#request.replyBytesMax) {
      this.#fail({ kind: 'reply-too-large', statusCode: this.#statusCode }, 'broken')
    } else return this.#reply.write(chunk)
    return true
  }

  onEnd(): void {
    if (this.#isSettled) return
    if (this.#errorBody === undefined) {
      this.#reply.end()
      this.#end({ kind: 'replied' })
    } else {
      const body = Buffer.concat(this.#errorBody)
      this.#end({ kind: 'refused-by-model', statusCode: this.#statusCode, body })
    }
  }

  onFailure(failure: CallFailure, detail: string): void {
    if (this.#statusCode > 0) this.#fail({ kind: 'broken', detail }, 'broken')
    else this.#end(outcomeOf(failure, detail))
  }

  #abandon(): void {
    if (this.#deadline.endedBy instanceof DeadlinePassed) {
      this.#fail({ kind: 'timed-out' }, 'timed-out')
    } else this.#end({ kind: 'client-gone' })
  }

  #addToErrorBody(pieces: Buffer[], chunk: Buffer): void {
    if (this.#receivedBytes <= ERROR_BODY_BYTES_MAX) pieces.push(chunk)
    else this.#end({ kind: 'refused-by-model', statusCode: this.#statusCode, body: undefined })
  }

  #fail(unseen: ForwardOutcome, reason: 'timed-out' | 'broken'): void {
    if (this.#isSettled) return
    if (!this.#reply.isStarted) {
      this.#end(unseen)
      return
    }
    this.#reply.breakOff(reason)
    this.#end({ kind: 'broken-off', reason })
  }

  #end(outcome: ForwardOutcome): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#deadline.onEnd(undefined)
    if (outcome.kind !== 'replied') this.#call?.abort()
    this.#settle(outcome)
  }
}

function outcomeOf(failure: CallFailure, detail: string): ForwardOutcome {
  switch (failure) {
    case 'refused':
    case 'reset':
    case 'overloaded':
      return { kind: failure, detail }
    case 'malformed':
      return { kind: 'broken', detail }
    case 'expired':
      return { kind: 'timed-out' }
  }
}
