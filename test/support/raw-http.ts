import { createHash, createHmac } from 'node:crypto'
import { connect } from 'node:net'
import type { Socket } from 'node:net'

import { SignatureV4 } from '@smithy/signature-v4'

import { until } from './until.ts'

/** A TCP connection to which bytes are written as they are, and what came back as text. */
export class RawConnection {
  readonly socket: Socket
  #received = ''
  #isClosed = false

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port, noDelay: true })
    this.socket.setEncoding('latin1')
    this.socket.on('data', (text: string) => {
      this.#received += text
    })
    this.socket.on('error', () => undefined)
    this.socket.on('close', () => {
      this.#isClosed = true
    })
  }

  get received(): string {
    return this.#received
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  send(bytes: string | Buffer): this {
    this.socket.write(bytes)
    return this
  }

  /** Waits for bytes that match. */
  async expect(pattern: RegExp): Promise<string> {
    await until(`${pattern} in ${JSON.stringify(this.#received)}`, () =>
      pattern.test(this.#received),
    )
    return this.#received
  }

  /** Waits until the server has closed. */
  async closed(): Promise<string> {
    await until('the server to close', () => this.#isClosed)
    return this.#received
  }
}

/** What is signed. */
export interface SignedCall {
  readonly port: number
  readonly path: string
  readonly body: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly service?: string
  readonly region?: string
  readonly signedAt?: Date
  /** Whether `x-amz-content-sha256` is sent, as the JavaScript SDK does and boto3 does not. */
  readonly namesBodyHash?: boolean
  readonly headers?: Readonly<Record<string, string>>
}

/** Signs a POST with the SDK's own signer. @returns its headers. */
export async function signHeaders(call: SignedCall): Promise<Record<string, string>> {
  const { accessKeyId, secretAccessKey, sessionToken, region = 'us-east-1' } = call
  const signer = new SignatureV4({
    service: call.service ?? 'sagemaker',
    region,
    credentials: {
      accessKeyId,
      secretAccessKey,
      ...(sessionToken !== undefined && { sessionToken }),
    },
    sha256: NodeSha256 as never,
    applyChecksum: call.namesBodyHash ?? true,
  })
  const request = {
    method: 'POST',
    protocol: 'http:',
    hostname: '127.0.0.1',
    port: call.port,
    path: call.path,
    query: {},
    headers: { host: `127.0.0.1:${call.port}`, 'content-type': 'text/csv', ...call.headers },
    body: call.body,
  }
  const signed = await signer.sign(request as never, { signingDate: call.signedAt ?? new Date() })
  return { ...(signed as unknown as { headers: Record<string, string> }).headers }
}

/** Text of a whole POST. */
export function encodePost(path: string, headers: Record<string, string>, body: string): string {
  const all: Record<string, string> = {
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`
}

class NodeSha256 {
  readonly #hash
  constructor(secret?: unknown) {
    this.#hash =
      secret === undefined ? createHash('sha256') : createHmac('sha256', secret as Uint8Array)
  }
  update(part: string | Uint8Array): void {
    this.#hash.update(part)
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }
  reset(): void {
    throw new Error('not needed to sign')
  }
}
