import { request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { Socket } from 'node:net'

import { BerthError, isBerthError } from '../domain/errors.ts'
import type { Clock } from '../ports/clock.ts'
import { ClientGone } from './deadline.ts'
import { lingerThenEnd } from './node-sink.ts'

// A control process that is replaced is back in about a second.
const CONTROL_WAIT_MS = 2_000
const CONNECT_INTERVAL_MS = 50
// Control may be silent while it puts a large upload together.
const SILENCE_MS_MAX = 300_000
// Source: RFC 9110 section 7.6.1. Transfer-Encoding stays: it tells node to chunk the copy too.
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'upgrade', 'te'])

/** What passing on takes from its surroundings. */
export interface PassOnDeps {
  readonly controlSocket: string
  readonly clock: Clock
  /** Longest silence of the client in the middle of its body. */
  readonly bodyTimeoutMs: number
}

/**
 * Passes a request that is no invocation to control, byte for byte in both directions at the pace of the slower side.
 *
 * Header names, order, case and `Host` stay as they are: signatures cover them. Each request has its own connection: a
 * kept one could break just when it is used again, and an upload cannot be repeated.
 *
 * @throws BerthError `ServiceUnavailable`: control is not there and did not come back within two seconds.
 * @throws ClientGone when the client left before there was an answer.
 */
export async function passOn(
  request: IncomingMessage,
  reply: ServerResponse,
  deps: PassOnDeps,
): Promise<void> {
  const socket = await connectToControl(reply, deps)
  socket.setTimeout(SILENCE_MS_MAX, () => socket.destroy(new Error('Control is silent.')))
  const upstream = httpRequest({
    createConnection: () => socket,
    method: request.method,
    path: request.url,
    // Asked to close, control would reset the connection after an answer to an upload it has not read to its end, and
    // the answer would be lost with it.
    headers: [...endToEnd(request.rawHeaders), 'Connection', 'keep-alive'],
    setHost: false,
  })
  reply.once('close', () => socket.destroy())
  const finished = copyReply(upstream, request, reply)
  upstream.on('continue', () => reply.writeContinue())
  copyBody(request, upstream, deps.bodyTimeoutMs)
  await finished
}

async function connectToControl(reply: ServerResponse, deps: PassOnDeps): Promise<Socket> {
  const gone = new AbortController()
  const abandon = (): void => gone.abort(new ClientGone())
  reply.once('close', abandon)
  const giveUpAtMs = deps.clock.nowMs() + CONTROL_WAIT_MS
  try {
    for (;;) {
      const socket = await tryConnect(deps.controlSocket)
      if (socket !== undefined) return socket
      if (deps.clock.nowMs() >= giveUpAtMs) throw controlIsAway()
      await deps.clock.sleep(CONNECT_INTERVAL_MS, gone.signal)
    }
  } finally {
    reply.removeListener('close', abandon)
  }
}

function tryConnect(path: string): Promise<Socket | undefined> {
  const { promise, resolve } = Promise.withResolvers<Socket | undefined>()
  const socket = connect({ path, noDelay: true })
  socket.once('connect', () => {
    socket.removeAllListeners('error')
    resolve(socket)
  })
  socket.once('error', () => resolve(undefined))
  return promise
}

function copyBody(request: IncomingMessage, upstream: ClientRequest, bodyTimeoutMs: number): void {
  const timer = setTimeout(() => upstream.destroy(bodyStalled(bodyTimeoutMs)), bodyTimeoutMs)
  upstream.flushHeaders()
  request.on('data', () => timer.refresh())
  request.once('end', () => clearTimeout(timer))
  upstream.once('close', () => clearTimeout(timer))
  request.pipe(upstream, { end: false })
  request.once('end', () => {
    const trailers = pairsOf(request.rawTrailers)
    if (trailers.length > 0) upstream.addTrailers(trailers)
    upstream.end()
  })
  request.once('error', (error) => upstream.destroy(error))
}

function copyReply(
  upstream: ClientRequest,
  request: IncomingMessage,
  reply: ServerResponse,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  reply.once('close', resolve)
  upstream.once('response', (response) => {
    // The head is passed on with the sender's own Date and framing.
    reply.sendDate = false
    if (!request.complete) reply.shouldKeepAlive = false
    const { statusCode = 502, statusMessage } = response
    reply.writeHead(statusCode, statusMessage, endToEnd(response.rawHeaders))
    response.pipe(reply, { end: false })
    response.once('end', () => {
      const trailers = pairsOf(response.rawTrailers)
      if (trailers.length > 0) reply.addTrailers(trailers)
      if (request.complete) reply.end()
      else {
        // Refused before its end: nobody wants the rest.
        request.unpipe(upstream)
        lingerThenEnd(request, reply)
      }
    })
    response.once('error', () => reply.destroy())
  })
  upstream.once('error', (error) => {
    request.unpipe(upstream)
    // A reply that has begun goes on: control may answer and close before it has read a whole upload.
    if (!reply.headersSent) reject(isBerthError(error) ? error : controlBrokeOff(error))
  })
  return promise
}

function endToEnd(rawHeaders: readonly string[]): string[] {
  const kept: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (!HOP_BY_HOP.has(name.toLowerCase())) kept.push(name, rawHeaders[index + 1] ?? '')
  }
  return kept
}

function pairsOf(rawTrailers: readonly string[]): [string, string][] {
  const pairs: [string, string][] = []
  for (let index = 0; index + 1 < rawTrailers.length; index += 2) {
    pairs.push([rawTrailers[index] ?? '', rawTrailers[index + 1] ?? ''])
  }
  return pairs
}

function bodyStalled(bodyTimeoutMs: number): BerthError {
  const what = `The client sent nothing for ${bodyTimeoutMs} ms in the middle of its body.`
  return new BerthError('RequestTimeout', what)
}

function controlIsAway(): BerthError {
  const what = 'The control process is not running. Invocations are served'
  return new BerthError('ServiceUnavailable', `${what}; repeat this call once it is back.`)
}

function controlBrokeOff(cause: Error): BerthError {
  const what = 'The control process stopped before it answered'
  return new BerthError('ServiceUnavailable', `${what}. Look whether the call took effect.`, {
    cause,
  })
}
