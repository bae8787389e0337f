import { createServer, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'

/** One exchange between a real client and Berth, as it was on the wire. */
export interface Exchange {
  readonly method: string
  readonly target: string
  /** `X-Amz-Target` without its prefix, when there was one. */
  readonly operation: string | undefined
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
}

/** A proxy that passes everything on unchanged and keeps what went by. */
export interface Recorder {
  readonly url: string
  readonly exchanges: Exchange[]
  close(): Promise<void>
}

/** Starts a recording proxy in front of a Berth. The Host header is passed on as signed. */
export async function startRecorder(berthUrl: string): Promise<Recorder> {
  const exchanges: Exchange[] = []
  const { hostname, port } = new URL(berthUrl)
  const server = createServer((incoming, reply) => {
    const options = { host: hostname, port, method: incoming.method, path: incoming.url }
    const outgoing = request({ ...options, headers: pairs(incoming), setHost: false }, (answer) => {
      void buffer(answer).then((body) => {
        exchanges.push(exchangeOf(incoming, answer, body.toString('latin1')))
        reply.writeHead(answer.statusCode ?? 0, answer.rawHeaders).end(body)
      })
    })
    outgoing.on('error', (error) => reply.destroy(error))
    incoming.pipe(outgoing)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const ownPort = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${ownPort}`,
    exchanges,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

function exchangeOf(incoming: IncomingMessage, answer: IncomingMessage, body: string): Exchange {
  const target = incoming.headers['x-amz-target']
  return {
    method: incoming.method ?? '',
    target: incoming.url ?? '',
    operation: typeof target === 'string' ? target.slice(target.indexOf('.') + 1) : undefined,
    status: answer.statusCode ?? 0,
    headers: answer.headers,
    body,
  }
}

function pairs(incoming: IncomingMessage): readonly string[] {
  return incoming.rawHeaders
}
