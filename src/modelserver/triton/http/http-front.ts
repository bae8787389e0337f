import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { readBody } from '../../body.ts'
import type { Log } from '../../log.ts'
import { Rejection } from '../../rejection.ts'
import { ServingError, toServingError } from '../serving-error.ts'
import { nowNs } from '../clock.ts'
import { compressReply, decompressBody, refuseEncoding } from './compression.ts'
import { emptyReply, errorReply, jsonReply } from './http-call.ts'
import type { HttpCall, HttpReply } from './http-call.ts'

/** One route: what it matches, and what it does. */
export interface Route {
  readonly methods: readonly string[]
  /** The whole path; named groups become the call's parts. */
  readonly pattern: RegExp
  readonly run: (call: HttpCall) => HttpReply | Promise<HttpReply>
  /** Bodies must not be compressed. */
  readonly refusesEncoding?: boolean
}

/** What an HTTP front end needs. */
export interface HttpFrontOptions {
  readonly routes: readonly Route[]
  readonly inputBytesMax: number
  readonly log: Log
  /** Answers what no route matches. */
  readonly fallback?: (path: string) => HttpReply
}

// The largest body of which the offsets of tensors fit everywhere; memory ends before.
const BODY_BYTES_MAX = 2 ** 31 - 1
const KEEP_ALIVE_MS = 75_000

/** Serves routes over HTTP/1.1. */
export class HttpFront {
  readonly server: Server
  readonly #options: HttpFrontOptions

  constructor(options: HttpFrontOptions) {
    this.#options = options
    this.server = createServer(
      { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 },
      (request, response) => void this.#serve(request, response),
    )
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const client = new AbortController()
    // Of every response: only the end of one that was not whole is the client's, and to abort costs as much as to route.
    response.once('close', () => {
      if (!response.writableFinished) client.abort()
    })
    try {
      const reply = await this.#reply(request, client.signal)
      await this.#write(request, response, reply)
      const { method = '', url = '' } = request
      this.#options.log('debug', 'request answered', { method, url, status: reply.status })
    } catch (error) {
      response.destroy()
      if (!client.signal.aborted)
        this.#options.log('warn', 'reply broken off', { reason: String(error) })
    }
  }

  async #reply(request: IncomingMessage, signal: AbortSignal): Promise<HttpReply> {
    try {
      return await this.#route(request, signal)
    } catch (error) {
      if (error instanceof Rejection) return jsonReply({ error: error.message }, error.status)
      const failure = toServingError(error)
      if (failure.code === 'INTERNAL' && !(error instanceof ServingError) && !signal.aborted) {
        this.#options.log('warn', 'request failed', { reason: failure.message })
      }
      return errorReply(failure)
    }
  }

  async #route(request: IncomingMessage, signal: AbortSignal): Promise<HttpReply> {
    const { routes, inputBytesMax, fallback } = this.#options
    const path = (request.url ?? '').split('?', 1)[0] ?? ''
    const method = request.method ?? ''
    for (const { methods, pattern, run, refusesEncoding } of routes) {
      const match = pattern.exec(path)
      if (match === null) continue
      if (!methods.includes(method)) return jsonReply({ error: 'Method Not Allowed' }, 405)
      const startNs = nowNs()
      const raw = await readBody(request, BODY_BYTES_MAX)
      const received = { startNs, endNs: nowNs() }
      const { headers } = request
      if (refusesEncoding === true) refuseEncoding(headers['content-encoding'])
      const body = await decompressBody(raw, headers['content-encoding'], inputBytesMax)
      const parts = decodeParts(match.groups ?? {})
      return run({ method, path, headers, parts, body, signal, received })
    }
    return fallback?.(path) ?? jsonReply({ error: 'Not Found' }, 404)
  }

  async #write(request: IncomingMessage, response: ServerResponse, reply: HttpReply) {
    const { status, headers, body } = await compressReply(reply, request.headers['accept-encoding'])
    const closing = request.complete ? {} : { connection: 'close' }
    const startNs = nowNs()
    try {
      if (typeof body === 'string' || body instanceof Uint8Array) {
        const length = { 'content-length': Buffer.byteLength(body) }
        response.writeHead(status, { ...headers, ...closing, ...length })
        response.end(body)
      } else {
        response.writeHead(status, { ...headers, ...closing })
        await pipeline(Readable.from(body), response)
      }
    } finally {
      reply.onSent?.(startNs, nowNs())
    }
  }
}

/** Answers a path with its status alone. */
export function statusOnly(status: number): () => HttpReply {
  return () => emptyReply(status)
}

function decodeParts(groups: Readonly<Record<string, string | undefined>>) {
  return Object.fromEntries(
    Object.entries(groups).map(([name, text = '']) => {
      try {
        return [name, decodeURIComponent(text)]
      } catch {
        return [name, text]
      }
    }),
  )
}
