import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { Duplex } from 'node:stream'
import { setImmediate } from 'node:timers/promises'

/** A request as node's HTTP server read it. */
export interface NodeRequest {
  readonly method: string | undefined
  readonly target: string | undefined
  readonly rawHeaders: readonly string[]
  /** Bytes of its body that came. */
  readonly body: () => Buffer
  readonly isComplete: () => boolean
}

/** What node's HTTP server made of the bytes of one connection. */
export interface NodeReading {
  readonly requests: readonly NodeRequest[]
  readonly errorCode: string | undefined
}

/** Reads connections with node's own HTTP server (llhttp, strict) without sockets. */
export class NodeReader {
  readonly #server: Server
  readonly #readingByPipe = new WeakMap<Duplex, { requests: NodeRequest[]; errorCode?: string }>()

  /** @param headBytesMax as the gateway sets it. */
  constructor(headBytesMax: number) {
    this.#server = createServer({ maxHeaderSize: headBytesMax, requestTimeout: 0 })
    this.#server.on('request', (request) => {
      const pieces: Buffer[] = []
      request.on('data', (piece: Buffer) => pieces.push(piece))
      const { method, url: target, rawHeaders } = request
      const body = (): Buffer => Buffer.concat(pieces)
      const isComplete = (): boolean => request.complete
      const seen = { method, target, rawHeaders, body, isComplete }
      this.#readingByPipe.get(request.socket)?.requests.push(seen)
    })
    const forward = this.#server.listeners('request')[0]
    if (forward !== undefined) this.#server.on('checkContinue', forward as () => void)
    this.#server.on('clientError', (error: Error & { code?: string }, pipe) => {
      const reading = this.#readingByPipe.get(pipe)
      if (reading !== undefined) reading.errorCode = error.code ?? error.message
      pipe.destroy()
    })
  }

  /** Reads many connections at a time. */
  async read(connections: readonly Buffer[]): Promise<readonly NodeReading[]> {
    const pipes = connections.map((bytes) => {
      const pipe = new Pipe()
      const reading = { requests: [] }
      this.#readingByPipe.set(pipe, reading)
      this.#server.emit('connection', pipe)
      pipe.push(bytes)
      return { pipe, reading }
    })
    // All bytes are there: what node makes of them is made before the event loop has turned twice.
    await setImmediate()
    await setImmediate()
    for (const { pipe } of pipes) pipe.destroy()
    await setImmediate()
    return pipes.map(({ reading }) => ({ errorCode: undefined, ...reading }))
  }
}

class Pipe extends Duplex {
  override _read(): void {
    // Everything is pushed at once.
  }

  override _write(_chunk: unknown, _encoding: BufferEncoding, written: () => void): void {
    written()
  }
}
