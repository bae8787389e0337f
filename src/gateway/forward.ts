import type { IncomingHttpHeaders } from 'node:http'

import type { Dispatcher } from 'undici'

import type { Deadline } from './deadline.ts'
import { DeadlinePassed } from './deadline.ts'
import type { Reply } from './reply.ts'

// An error reply is kept in memory to be quoted in ModelError; tracebacks are a few kibibytes.
const ERROR_BODY_BYTES_MAX = 256 * 1024

/** What an instance is asked. */
export interface ContainerRequest {
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** Longest reply that is passed on; infinite for streams. */
  readonly replyBytesMax: number
  /** Where the deadline moves when the reply begins, counted from its start; undefined when it stays. */
  readonly streamTimeoutMs: number | undefined
}

/** How one attempt on one instance ended. */
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
  /** The reply began and broke; the client has seen nothing of it. */
  | { readonly kind: 'broken'; readonly detail: string }
  /** The deadline passed; the client has seen nothing. */
  | { readonly kind: 'timed-out' }
  /** The reply failed after the client had a part of it, and was ended as a broken one. */
  | { readonly kind: 'broken-off'; readonly reason: 'timed-out' | 'broken' }
  | { readonly kind: 'client-gone' }

/**
 * Sends one invocation to one instance and its reply to the client, chunk by chunk at the client's pace.
 *
 * Resolves after the last byte of the container's reply, so that the slot which the caller holds counts the instance's
 * real work. Never rejects for anything a container or client can do. When the deadline's signal aborts, the
 * connection to the container is closed: that is how it learns that nobody waits.
 */
export function forward(
  instance: Dispatcher,
  request: ContainerRequest,
  reply: Reply,
  deadline: Deadline,
): Promise<ForwardOutcome> {
  const exchange = new Exchange(request, reply, deadline)
  const options = {
    method: 'POST',
    path: '/invocations',
    headers: request.headers,
    body: request.body,
  } as const
  instance.dispatch(options, exchange)
  return exchange.outcome
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly outcome: Promise<ForwardOutcome>
  readonly #request: ContainerRequest
  readonly #reply: Reply
  readonly #deadline: Deadline
  readonly #settle: (outcome: ForwardOutcome) => void
  #controller: Dispatcher.DispatchController | undefined
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
    deadline.signal.addEventListener('abort', this.#abandon, { once: true })
    reply.onDrain(() => this.#controller?.resume())
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#isSettled) controller.abort(new Error('The invocation has ended.'))
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (statusCode < 200) return
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

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isSettled) return
    this.#receivedBytes += chunk.length
    if (this.#errorBody !== undefined) this.#addToErrorBody(this.#errorBody, chunk)
    else if (this.#receivedBytes > this.#request.replyBytesMax) {
      this.#fail({ kind: 'reply-too-large', statusCode: this.#statusCode }, 'broken')
    } else if (!this.#reply.write(chunk)) controller.pause()
  }

  onResponseEnd(): void {
    if (this.#isSettled) return
    if (this.#errorBody === undefined) {
      this.#reply.end()
      this.#end({ kind: 'replied' })
    } else {
      const body = Buffer.concat(this.#errorBody)
      this.#end({ kind: 'refused-by-model', statusCode: this.#statusCode, body })
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const detail = describeError(error)
    if (this.#statusCode > 0) this.#fail({ kind: 'broken', detail }, 'broken')
    else if (isRefusal(error)) this.#end({ kind: 'refused', detail })
    else if (isMalformedReply(error)) this.#end({ kind: 'broken', detail })
    else this.#end({ kind: 'reset', detail })
  }

  readonly #abandon = (): void => {
    if (this.#deadline.signal.reason instanceof DeadlinePassed) {
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
    this.#deadline.signal.removeEventListener('abort', this.#abandon)
    // Without effect when the reply has come to its end: the connection is kept then.
    if (outcome.kind !== 'replied') this.#controller?.abort(new Error('The invocation has ended.'))
    this.#settle(outcome)
  }
}

const REFUSAL_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOENT',
  // A Unix socket whose backlog is full.
  'EAGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  // The pool of an instance that has just left the routes.
  'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED',
])

function isRefusal(error: Error): boolean {
  return REFUSAL_CODES.has(codeOf(error))
}

function isMalformedReply(error: Error): boolean {
  const code = codeOf(error)
  return code.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW'
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

function describeError(error: Error): string {
  return `${codeOf(error)} ${error.message}`.trim()
}
