import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { encodeFramesHeader, FRAMES_HEADER } from '../domain/frames-address.ts'
import { FRAMES_VERSION } from '../wire/frames.ts'
import { readBody } from './body.ts'
import { jsonReply } from './image.ts'
import type { Image, Invocation, Reply } from './image.ts'
import { replyToFailure } from './invoke-image.ts'
import type { Log } from './log.ts'
import { isModelPath } from './multi-model/model-routes.ts'
import { Rejection } from './rejection.ts'

/** What the container's HTTP server needs. */
export interface ModelServerOptions {
  readonly image: Image
  readonly imageName: string
  readonly bodyBytesMax: number
  readonly nowMs: () => number
  readonly log: Log
}

// Longer than the idle time of a client that keeps connections, so that the client is the one to close.
const KEEP_ALIVE_MS = 75_000
// A body may take its time on a slow disk or network; a head may not.
const HEADERS_MS = 10_000
const REQUEST_MS = 120_000
// How long a client that was refused may go on sending.
const LINGER_MS = 1_000

/**
 * The container contract over HTTP/1.1: `GET /ping` and `POST /invocations`; of an image that serves many models also `/models`.
 *
 * Source: SageMaker, "Use your own inference code with hosting services".
 */
export class ModelServer {
  readonly server: Server
  readonly #options: ModelServerOptions
  #outstandingCount = 0
  #lastUsedMs: number
  #seenUsedCount = 0
  #isDraining = false

  constructor(options: ModelServerOptions) {
    this.#options = options
    this.#lastUsedMs = options.nowMs()
    this.server = createServer(
      { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS },
      (request, response) => void this.#serve(request, response),
    )
  }

  /** How long nobody has pinged or invoked; 0 while something is outstanding. */
  idleMs(): number {
    const { image, nowMs } = this.#options
    const usedCount = image.usedCount()
    if (usedCount !== this.#seenUsedCount) this.#lastUsedMs = nowMs()
    this.#seenUsedCount = usedCount
    return this.#outstandingCount > 0 ? 0 : nowMs() - this.#lastUsedMs
  }

  /** Stops accepting and resolves when every outstanding request is answered. */
  close(): Promise<void> {
    this.#isDraining = true
    return new Promise((resolve) => this.server.close(() => resolve()))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#outstandingCount += 1
    const client = new AbortController()
    // Of every response: only the end of one that was not whole is the client's, and to abort costs as much as to route.
    response.once('close', () => {
      if (!response.writableFinished) client.abort()
    })
    try {
      await this.#write(request, response, await this.#reply(request, client.signal))
    } catch (error) {
      // The head is out: a broken connection is the only way left to say that the reply is not whole.
      response.destroy()
      if (!client.signal.aborted)
        this.#options.log('warn', 'reply broken off', { reason: String(error) })
    } finally {
      this.#outstandingCount -= 1
      this.#lastUsedMs = this.#options.nowMs()
    }
  }

  async #reply(request: IncomingMessage, signal: AbortSignal): Promise<Reply> {
    try {
      return await this.#route(request, signal)
    } catch (error) {
      return replyToFailure(error, { signal, log: this.#options.log })
    }
  }

  async #route(request: IncomingMessage, signal: AbortSignal): Promise<Reply> {
    const path = (request.url ?? '').split('?', 1)[0] ?? ''
    const method = request.method ?? ''
    const { image, imageName } = this.#options
    if (image.serveModelCall !== undefined && isModelPath(path)) {
      return image.serveModelCall(await this.#read(request), signal)
    }
    const tell = method === 'GET' ? image.tellByPath?.get(path) : undefined
    if (tell !== undefined) return jsonReply(200, tell())
    if (path !== '/ping' && path !== '/invocations') {
      throw new Rejection(
        404,
        `${imageName} answers GET /ping and POST /invocations, not ${method} ${path}.`,
      )
    }
    const expected = path === '/ping' ? 'GET' : 'POST'
    if (method !== expected) throw new Rejection(405, `${path} takes ${expected}, not ${method}.`)
    if (path === '/ping') return this.#ping()
    return image.invoke({ ...(await this.#read(request)), path }, signal)
  }

  // With the query in its path.
  async #read(request: IncomingMessage): Promise<Invocation> {
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    )
    const body = await readBody(request, this.#options.bodyBytesMax)
    return { method: request.method ?? '', path: request.url ?? '', headers, body }
  }

  // A good ping also says where invocations are taken as frames.
  async #ping(): Promise<Reply> {
    const { image } = this.#options
    const reply = await image.ping()
    if (reply.status !== 200 || image.frameSuffixes.length === 0) return reply
    const announced = encodeFramesHeader(FRAMES_VERSION, image.frameSuffixes)
    return { ...reply, headers: { ...reply.headers, [FRAMES_HEADER]: announced } }
  }

  async #write(request: IncomingMessage, response: ServerResponse, reply: Reply): Promise<void> {
    const { status, headers, body } = reply
    const mustClose = this.#isDraining || !request.complete
    const closing = mustClose ? { connection: 'close' } : {}
    if (body instanceof Uint8Array) {
      response.writeHead(status, { ...headers, ...closing, 'content-length': body.byteLength })
      if (request.complete) return void response.end(body)
      // A body that was refused is read to its end and dropped, or the client, still sending, would meet a closed
      // connection and not get to read the refusal.
      response.write(body)
      await dropRest(request)
      response.end()
      return
    }
    response.writeHead(status, { ...headers, ...closing })
    response.flushHeaders()
    await pipeline(Readable.from(body, { objectMode: true }), response)
  }
}

function dropRest(request: IncomingMessage): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, LINGER_MS)
  request.once('end', resolve)
  request.once('close', resolve)
  request.resume()
  return promise.finally(() => clearTimeout(timer))
}
