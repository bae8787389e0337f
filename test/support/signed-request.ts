import { Agent, request } from 'node:http'
import { text } from 'node:stream/consumers'

import { Sha256 } from '@smithy/core/checksum'
import { SignatureV4 } from '@smithy/signature-v4'

/** A request as it goes over the wire, except for its length. */
export interface WireRequest {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Who signs, when, and for what. */
export interface Signing {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly region?: string
  readonly service: string
  readonly signedAt?: Date
}

/** The request with the headers of a signature by the SDK's own signer. */
export async function signRequest(unsigned: WireRequest, signing: Signing): Promise<WireRequest> {
  const signed = await signerOf(signing).sign(toHttpRequest(unsigned), {
    signingDate: signing.signedAt ?? new Date(),
  })
  return { ...unsigned, headers: signed.headers }
}

/** What came back. */
export interface WireAnswer {
  readonly status: number
  /** The error code, wherever the protocol puts it; undefined for a success. */
  readonly code: string | undefined
  readonly body: string
}

/** Sends requests exactly as they are, `Host` included, over kept connections. */
export class WireClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 })
  readonly #port: number

  constructor(port: number) {
    this.#port = port
  }

  send({ method, path, query, headers, body }: WireRequest): Promise<WireAnswer> {
    const pairs = Object.entries(query).map((pair) => pair.map(encodeURIComponent).join('='))
    const target = pairs.length === 0 ? path : `${path}?${pairs.join('&')}`
    const { promise, resolve, reject } = Promise.withResolvers<WireAnswer>()
    const outgoing = request({
      host: '127.0.0.1',
      port: this.#port,
      method,
      path: target,
      headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
      setHost: false,
      agent: this.#agent,
    })
    outgoing.once('error', reject)
    outgoing.once('response', (reply) => {
      text(reply).then((replied) => {
        const header = reply.headers['x-amzn-errortype']
        const code = typeof header === 'string' ? header : codeIn(replied)
        resolve({ status: reply.statusCode ?? 0, code: code?.split(':')[0], body: replied })
      }, reject)
    })
    outgoing.end(body)
    return promise
  }

  close(): void {
    this.#agent.destroy()
  }
}

function codeIn(body: string): string | undefined {
  const [, inXml] = /<Code>([^<]+)<\/Code>/.exec(body) ?? []
  const [, inJson] = /"__type":"(?:[^"#]*#)?([^"]+)"/.exec(body) ?? []
  return inXml ?? inJson
}

function signerOf({ service, region = 'us-east-1', ...credentials }: Signing): SignatureV4 {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials
  return new SignatureV4({
    service,
    region,
    credentials: {
      accessKeyId,
      secretAccessKey,
      ...(sessionToken !== undefined && { sessionToken }),
    },
    sha256: Sha256,
    uriEscapePath: service !== 's3',
  })
}

function toHttpRequest({ method, path, query, headers, body }: WireRequest) {
  return {
    method,
    path,
    query: { ...query },
    headers: { ...headers },
    body,
    protocol: 'http:',
    hostname: '127.0.0.1',
  }
}
