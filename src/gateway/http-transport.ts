import type { Buffer } from 'node:buffer'
import type { IncomingHttpHeaders } from 'node:http'

import type { Dispatcher } from 'undici'
import Pool from 'undici/lib/dispatcher/pool.js'

import type { InstanceAddress } from '../domain/fleet.ts'
import type { Call, CallFailure, CallReceiver, ContainerRequest, Transport } from './transport.ts'

// Source: SageMaker developer guide: a container accepts a connection within 250 ms. On a busy machine the connection
// is accepted by the kernel and the time is lost before it, hence the margin.
const CONNECT_TIMEOUT_MS = 1_000

/**
 * Invocations as HTTP/1.1, for containers that speak nothing else. An abort closes the connection: that is how a
 * container learns that nobody waits.
 *
 * @param path where it takes invocations; a gateway takes them elsewhere.
 * @param connectionCount as many as an instance has slots, so that the pool never queues.
 */
export function createHttpTransport(
  address: InstanceAddress,
  connectionCount: number,
  path = '/invocations',
): Transport {
  const pool = createPool(address, connectionCount)
  return {
    call: (request, receiver) => {
      const call = new HttpCall(receiver)
      pool.dispatch(optionsOf(request, path), call)
      return call
    },
    // Closing fails only when it is closed already.
    close: () => void pool.close().catch(() => undefined),
    destroy: () => pool.destroy(),
  }
}

function createPool(address: InstanceAddress, connectionCount: number): Dispatcher {
  const common = {
    connections: connectionCount,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    // Deadlines are the invocation's own; undici's would answer with other errors.
    headersTimeout: 0,
    bodyTimeout: 0,
  }
  if (address.kind === 'tcp') {
    const host = address.host.includes(':') ? `[${address.host}]` : address.host
    return new Pool(`http://${host}:${address.port}`, common)
  }
  const connect = { ...common.connect, socketPath: address.path }
  return new Pool('http://localhost', { ...common, connect })
}

function optionsOf(
  { headers, body, model }: ContainerRequest,
  ownPath: string,
): Dispatcher.DispatchOptions {
  const path = model === undefined ? ownPath : `/models/${model.modelId}/invoke`
  return { method: 'POST', path, headers, body }
}

class HttpCall implements Call, Dispatcher.DispatchHandler {
  readonly #receiver: CallReceiver
  #controller: Dispatcher.DispatchController | undefined
  #isAborted = false

  constructor(receiver: CallReceiver) {
    this.#receiver = receiver
  }

  resume(): void {
    this.#controller?.resume()
  }

  // Without effect when the reply has come to its end: the connection is kept then.
  abort(): void {
    this.#isAborted = true
    this.#controller?.abort(new Error('The invocation has ended.'))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#isAborted) controller.abort(new Error('The invocation has ended.'))
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (statusCode >= 200 && !this.#isAborted) this.#receiver.onHead(statusCode, headers)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#isAborted && !this.#receiver.onChunk(chunk)) controller.pause()
  }

  onResponseEnd(): void {
    if (!this.#isAborted) this.#receiver.onEnd()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (!this.#isAborted) this.#receiver.onFailure(classify(error), describeError(error))
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

function classify(error: Error): CallFailure {
  const code = codeOf(error)
  if (REFUSAL_CODES.has(code)) return 'refused'
  return code.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW' ? 'malformed' : 'reset'
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

function describeError(error: Error): string {
  return `${codeOf(error)} ${error.message}`.trim()
}
