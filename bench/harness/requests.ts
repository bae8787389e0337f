import { SignatureV4 } from '@smithy/signature-v4'
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { type Address, hostHeader } from './address.ts'

/** A request as the bench means it, before it becomes bytes. */
export interface PlainRequest {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer
}

/** What signing takes. */
export interface Signing {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
  readonly service: string
  /** Whether the hash of the body is a header of its own, as the SDKs for JavaScript do; boto3 does not. On by default. */
  readonly applyChecksum?: boolean
}

/** Unsigned requests as the bytes that go over the wire. */
export function encodeRequests(address: Address, requests: readonly PlainRequest[]): Buffer[] {
  return requests.map((request) =>
    encodeRequest(request, { ...request.headers, host: hostHeader(address) }),
  )
}

/**
 * Signed requests as the bytes that go over the wire, signed now: a few minutes later they are too old.
 *
 * Each is signed for itself, with SigV4 as an SDK does; requests that differ have different signatures, so that a server
 * gains nothing from remembering one.
 */
export async function signRequests(
  address: Address,
  requests: readonly PlainRequest[],
  signing: Signing,
): Promise<Buffer[]> {
  const { accessKeyId, secretAccessKey, region, service, applyChecksum = true } = signing
  const credentials = { accessKeyId, secretAccessKey }
  const options = { credentials, region, service, applyChecksum, sha256: Sha256 }
  const signer = new SignatureV4(options)
  const encoded: Buffer[] = []
  for (const request of requests) {
    const host = hostHeader(address)
    const signed = await signer.sign({
      method: request.method,
      protocol: 'http:',
      hostname: host,
      path: request.path,
      headers: { ...request.headers, host },
      body: request.body,
    })
    encoded.push(encodeRequest(request, signed.headers))
  }
  return encoded
}

function encodeRequest(request: PlainRequest, headers: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const length = `content-length: ${Buffer.byteLength(request.body)}\r\n`
  const head = `${request.method} ${request.path} HTTP/1.1\r\n${lines.join('')}${length}\r\n`
  return Buffer.concat([Buffer.from(head), Buffer.from(request.body)])
}

/** Writes requests for another process: each as a 32-bit little-endian length and its bytes. */
export function writeRequests(path: string, requests: readonly Buffer[]): void {
  const parts = requests.flatMap((request) => {
    const length = Buffer.alloc(4)
    length.writeUInt32LE(request.length)
    return [length, request]
  })
  writeFileSync(path, Buffer.concat(parts))
}

export function readRequests(path: string): Buffer[] {
  const bytes = readFileSync(path)
  const requests: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + bytes.readUInt32LE(at)
    requests.push(bytes.subarray(at + 4, end))
    at = end
  }
  return requests
}

/** The hash the signer asks for, from Node's own crypto. */
class Sha256 {
  readonly #hash: Hash | Hmac

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      secret === undefined ? createHash('sha256') : createHmac('sha256', toHashable(secret))
  }

  update(bytes: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(toHashable(bytes))
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }

  reset(): void {
    throw new Error('The signer makes a new hash each time.')
  }
}

function toHashable(bytes: string | ArrayBuffer | ArrayBufferView): string | Buffer {
  if (typeof bytes === 'string') return bytes
  return ArrayBuffer.isView(bytes)
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : Buffer.from(bytes)
}
