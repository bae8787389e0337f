import { hash } from 'node:crypto'
import { canonicalUri, hashCanonicalRequest } from './sigv4-canonical.ts'
import { parseSignedHeaders } from './sigv4-signed-headers.ts'
import type { SigningKeyCache } from './sigv4-keys.ts'

/** Who signs, for where. */
export interface Signer {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string | undefined
  readonly region: string
  readonly service: string
  readonly signingKeys: SigningKeyCache
}

/** A request without a query; header names in lower case, `host` among them. */
export interface UnsignedRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** The headers of the request with those of its Signature V4. Every header is signed. */
export function signRequest(
  { method, path, headers, body }: UnsignedRequest,
  signer: Signer,
  nowMs: number,
): Readonly<Record<string, string>> {
  const { accessKeyId, secretAccessKey, sessionToken, region, service, signingKeys } = signer
  const amzDate = `${new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')}`
  const all: Record<string, string> = { ...headers, 'x-amz-date': amzDate }
  if (sessionToken !== undefined) all['x-amz-security-token'] = sessionToken
  const names = Object.keys(all).toSorted()
  const signedHeaders = parseSignedHeaders(names.join(';'))
  if (signedHeaders === undefined) throw new Error(`headers cannot be signed: ${names.join(', ')}`)
  const canonicalHash = hashCanonicalRequest({
    method,
    uri: canonicalUri(path, service),
    query: '',
    signedHeaders,
    signedValues: names.map((name) => all[name] ?? ''),
    payloadHash: hash('sha256', body, 'hex'),
  })
  const key = signingKeys.find(secretAccessKey, { date: amzDate.slice(0, 8), region, service })
  const signature = key.sign(amzDate, canonicalHash)
  const credential = `${accessKeyId}/${key.scope}`
  all['authorization'] =
    `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signedHeaders.list}, Signature=${signature}`
  return all
}
