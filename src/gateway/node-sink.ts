import type { IncomingMessage, ServerResponse } from 'node:http'

import type { ClientSink, ReplyHeaders } from './client-sink.ts'
import { LINGER_BYTES_MAX, LINGER_MS } from './linger.ts'

/** The reply to a request that node's HTTP server has read. */
export class NodeSink implements ClientSink {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request
    this.#response = response
  }

  get isStarted(): boolean {
    return this.#response.headersSent
  }

  sendWhole(status: number, headers: ReplyHeaders, body: Buffer): void {
    const request = this.#request
    const response = this.#response
    if (response.headersSent || response.destroyed) {
      response.destroy()
      return
    }
    const sized = { ...headers, 'Content-Length': String(body.length) }
    if (request.complete || !hasBody(request)) {
      response.writeHead(status, sized)
      response.end(body)
      return
    }
    response.writeHead(status, { ...sized, Connection: 'close' })
    response.write(body)
    // A client that was promised `100 Continue` and did not get it sends nothing more.
    if (request.headers.expect !== undefined) response.end()
    else lingerThenEnd(request, response)
  }

  start(status: number, headers: ReplyHeaders): void {
    this.#response.writeHead(status, headers)
    this.#response.flushHeaders()
  }

  write(chunk: Buffer): boolean {
    return this.#response.write(chunk)
  }

  end(lastChunk?: Buffer): void {
    this.#response.end(lastChunk)
  }

  destroy(): void {
    this.#response.destroy()
  }

  onDrain(listener: () => void): void {
    this.#response.removeAllListeners('drain')
    this.#response.on('drain', listener)
  }

  onClosed(listener: () => void): void {
    const response = this.#response
    const tell = (): void => {
      if (!response.writableFinished) listener()
    }
    if (response.destroyed) tell()
    else response.once('close', tell)
  }
}

// `complete` is not yet true while the event of a request without a body is emitted.
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/**
 * Drops what is left of a body, within bounds, and then ends: closing before would reset the connection, and a client
 * that is still sending would lose the reply.
 */
export function lingerThenEnd(request: IncomingMessage, response: ServerResponse): void {
  let droppedBytes = 0
  const end = (): void => {
    clearTimeout(timer)
    request.removeListener('data', drop)
    request.pause()
    response.end()
  }
  const drop = (piece: Buffer): void => {
    droppedBytes += piece.length
    if (droppedBytes > LINGER_BYTES_MAX) end()
  }
  const timer = setTimeout(end, LINGER_MS)
  request.on('data', drop)
  request.once('end', end)
  request.once('error', end)
  request.resume()
}
