import { request } from 'node:http'

/** One request of the table. A string body is JSON or text; bytes are sent as they are. */
export interface Ask {
  /** Unique; says what is asked. */
  readonly name: string
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** Text where the bytes are text, base64 where not. */
export type RecordedBody = { readonly text: string } | { readonly base64: string }

/** A request as it was sent. */
export interface RecordedRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: RecordedBody
}

export interface RecordedResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: RecordedBody
}

export interface Exchange {
  readonly name: string
  readonly request: RecordedRequest
  readonly response: RecordedResponse
}

// Length and date tell nothing; the rest is part of the protocol.
const KEPT = [
  'content-type',
  'inference-header-content-length',
  'content-encoding',
  'accept-encoding',
]

export function recordRequest(ask: Ask): RecordedRequest {
  const method = ask.method ?? (ask.body === undefined ? 'GET' : 'POST')
  const headers = ask.headers ?? {}
  if (ask.body === undefined) return { method, path: ask.path, headers }
  const body = recordBody(Buffer.from(ask.body as Uint8Array))
  return { method, path: ask.path, headers, body }
}

/** Asks the oracle, and notes what it says. */
export function exchange(port: number, asked: RecordedRequest): Promise<RecordedResponse> {
  return new Promise((resolve, reject) => {
    const body = asked.body === undefined ? undefined : bytesOf(asked.body)
    const length = body === undefined ? {} : { 'content-length': String(body.length) }
    const headers = { ...length, ...asked.headers }
    const { method, path } = asked
    const outgoing = request({ port, host: '127.0.0.1', method, path, headers, agent: false })
    outgoing.on('error', reject)
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () => {
        const kept = KEPT.flatMap((name) => {
          const value = incoming.headers[name]
          return typeof value === 'string' ? [[name, value] as const] : []
        })
        const answered = recordBody(Buffer.concat(chunks))
        const status = incoming.statusCode ?? 0
        resolve({ status, headers: Object.fromEntries(kept), body: answered })
      })
    })
    outgoing.end(body)
  })
}

function bytesOf(body: RecordedBody): Buffer {
  return 'text' in body ? Buffer.from(body.text) : Buffer.from(body.base64, 'base64')
}

export function recordBody(bytes: Buffer): RecordedBody {
  const text = bytes.toString('utf8')
  const isText = !bytes.some((byte) => byte < 0x09) && Buffer.from(text).equals(bytes)
  return isText ? { text } : { base64: bytes.toString('base64') }
}
