import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import { SignatureV4 } from '@smithy/signature-v4'
import fc from 'fast-check'
import type { SecretLookup, SignedRequest, VerifyResult } from './auth-types.ts'
import { SigningKeyCache } from './sigv4-keys.ts'
import { verifyRequest } from './sigv4.ts'

const SECRET = 'secret/of+some=length'
const NOW_MS = Date.UTC(2026, 5, 6, 7, 8, 9)
const PRINCIPAL = { arn: 'arn:aws:iam::000000000000:root', userId: 'r', accountId: '000000000000' }

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

function signer(service: string): SignatureV4 {
  return new SignatureV4({
    service,
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: SECRET, sessionToken: 'to/k+en==' },
    sha256: NodeSha256 as never,
    uriEscapePath: service !== 's3',
    applyChecksum: true,
  })
}

interface Given {
  readonly service: string
  readonly method: string
  readonly path: string
  readonly query: Record<string, string>
  readonly headers: Record<string, string>
  readonly body: string
}

const segment = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
  .filter((text) => text !== '.' && text !== '..')
  .map((text) =>
    encodeURIComponent(text.toWellFormed()).replace(
      /[!'()*]/g,
      (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
    ),
  )
const value = fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => text.toWellFormed())
const headerValue = fc.string({ maxLength: 12 }).map((text) => text.replace(/[^\x20-\x7e]/g, '_'))
const given: fc.Arbitrary<Given> = fc.record({
  service: fc.constantFrom('sagemaker', 's3'),
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
  path: fc.array(segment, { maxLength: 4 }).map((parts) => `/${parts.join('/')}`),
  query: fc.dictionary(
    value.filter((text) => text !== '' && !/^x-amz-/i.test(text)),
    value,
    { maxKeys: 3 },
  ),
  headers: fc.dictionary(fc.stringMatching(/^x-[b-z]{1,6}$/), headerValue, { maxKeys: 3 }),
  body: fc.string({ maxLength: 20 }),
})

const escape = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
const targetOf = (path: string, query: Record<string, unknown>): string => {
  const text = Object.entries(query).map(
    ([name, text]) => `${escape(name)}=${escape(String(text))}`,
  )
  return text.length === 0 ? path : `${path}?${text.join('&')}`
}

async function sign(from: Given): Promise<SignedRequest> {
  const { service, method, path, query, headers, body } = from
  const request = {
    method,
    protocol: 'http:',
    hostname: 'localhost',
    path,
    query,
    headers: { ...headers, host: 'localhost:7070', 'content-type': 'text/csv' },
    body,
  }
  const signed = await signer(service).sign(request, { signingDate: new Date(NOW_MS) })
  return {
    method,
    rawTarget: targetOf(path, query),
    rawHeaders: Object.entries(signed.headers).flat(),
    bodySha256: createHash('sha256').update(body).digest('hex'),
  }
}

const deps = {
  findSecret: (accessKeyId: string): SecretLookup =>
    accessKeyId === 'AKIDEXAMPLE'
      ? { kind: 'found', secretAccessKey: SECRET, principal: PRINCIPAL }
      : { kind: 'unknown-key' },
  regions: ['us-east-1'],
  nowMs: NOW_MS,
  signingKeys: new SigningKeyCache(),
}
const verify = (request: SignedRequest): VerifyResult => verifyRequest(request, deps)

function mapHeader(
  request: SignedRequest,
  name: string,
  replace: (text: string) => string,
): SignedRequest {
  const rawHeaders = request.rawHeaders.map((text, index) =>
    index % 2 === 1 && request.rawHeaders[index - 1]?.toLowerCase() === name ? replace(text) : text,
  )
  return { ...request, rawHeaders }
}

const flip = (text: string, at: number): string => {
  const index = at % text.length
  const other = text[index] === 'a' ? 'b' : 'a'
  return text.slice(0, index) + other + text.slice(index + 1)
}

/** Every way to change one thing about a signed request. */
const MUTATIONS: readonly ((request: SignedRequest, at: number) => SignedRequest)[] = [
  (request) => ({ ...request, bodySha256: createHash('sha256').update('other').digest('hex') }),
  (request) => ({ ...request, method: request.method === 'GET' ? 'HEAD' : 'GET' }),
  (request) => ({ ...request, rawTarget: request.rawTarget.replace(/^[^?]*/, '$&a') }),
  (request) => ({
    ...request,
    rawTarget: `${request.rawTarget}${request.rawTarget.includes('?') ? '&' : '?'}extra=1`,
  }),
  (request) => mapHeader(request, 'host', () => 'localhost:7071'),
  (request) => mapHeader(request, 'content-type', () => 'text/plain'),
  (request) => mapHeader(request, 'x-amz-date', (text) => text.replace('070809', '070810')),
  (request) => mapHeader(request, 'x-amz-security-token', (text) => `${text}x`),
  (request) => mapHeader(request, 'x-amz-content-sha256', (text) => flip(text, 3)),
  (request) =>
    mapHeader(request, 'authorization', (text) => text.replace('AKIDEXAMPLE', 'AKIDEXAMPL')),
  (request) =>
    mapHeader(request, 'authorization', (text) => text.replace(/Signature=/, 'Signature=0')),
  (request) => ({ ...request, rawHeaders: [...request.rawHeaders, 'x-amz-acl', 'public-read'] }),
  (request) => ({ ...request, rawHeaders: [...request.rawHeaders, 'content-type', 'text/csv'] }),
  (request, at) =>
    mapHeader(request, 'authorization', (text) => {
      const [head = '', signature = ''] = text.split('Signature=')
      return `${head}Signature=${flip(signature, at)}`
    }),
]

describe('requests of the real signer', () => {
  it('verify, and no changed one does', async () => {
    await fc.assert(
      fc.asyncProperty(given, fc.nat(), async (from, at) => {
        const request = await sign(from)
        assert.equal(verify(request).kind, 'verified')
        for (const [index, mutate] of MUTATIONS.entries()) {
          assert.equal(verify(mutate(request, at)).kind, 'rejected', `mutation ${index}`)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('verify when presigned for S3, and no changed one does', async () => {
    await fc.assert(
      fc.asyncProperty(given, fc.nat(), async ({ method, path, query }, at) => {
        const presigned = await signer('s3').presign(
          {
            method,
            protocol: 'http:',
            hostname: 'localhost',
            path,
            query,
            headers: { host: 'localhost:7070', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
          },
          { signingDate: new Date(NOW_MS), expiresIn: 60 },
        )
        const target = targetOf(path, { ...presigned.query })
        const request = {
          method,
          rawTarget: target,
          rawHeaders: ['host', 'localhost:7070'],
          bodySha256: undefined,
        }
        assert.equal(verify(request).kind, 'verified')
        const signature = String(presigned.query?.['X-Amz-Signature'])
        const changed = [
          target.replace(signature, flip(signature, at)),
          target.replace('X-Amz-Expires=60', 'X-Amz-Expires=61'),
          target.replace('AKIDEXAMPLE', 'AKIDEXAMPLF'),
          `${target}&extra=1`,
          target.replace(/^[^?]*/, '$&a'),
          target.replace('X-Amz-Security-Token=', 'X-Amz-Security-Token=x'),
        ]
        for (const rawTarget of changed) {
          assert.equal(verify({ ...request, rawTarget }).kind, 'rejected', rawTarget)
        }
      }),
      { numRuns: 40 },
    )
  })
})

describe('paths that only S3 has', () => {
  for (const path of [
    '/b/a%20b',
    '/b/a%2Bb',
    '/b//k',
    '/b/%C3%A9/../x',
    '/b/./k/',
    '/b/%E6%97%A5',
  ]) {
    it(`verifies ${path} unchanged`, async () => {
      const request = await sign({
        service: 's3',
        method: 'GET',
        path,
        query: {},
        headers: {},
        body: '',
      })
      assert.equal(verify(request).kind, 'verified')
    })
  }
})

describe('whatever a client sends', () => {
  const text = fc.string({ maxLength: 30 })
  const names = fc.constantFrom(
    'Authorization',
    'Host',
    'X-Amz-Date',
    'Date',
    'X-Amz-Content-Sha256',
    'x',
  )
  const credential = fc.constantFrom(
    'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260606/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=',
    'AWS4-HMAC-SHA256 ',
    'Credential=',
    '',
  )
  const values = fc.oneof(
    text,
    fc.tuple(credential, text).map((parts) => parts.join('')),
    fc.constantFrom('20260606T070809Z', '99991231T235959Z', 'Sat, 06 Jun 2026 07:08:09 GMT'),
  )
  const targets = fc.oneof(
    text,
    fc
      .tuple(
        fc.constantFrom(
          '/?X-Amz-Signature=',
          '/?X-Amz-Credential=%',
          '/b?AWSAccessKeyId=a&Signature=b&Expires=',
        ),
        text,
      )
      .map((parts) => parts.join('')),
  )

  it('is refused without throwing', () => {
    fc.assert(
      fc.property(
        targets,
        fc.array(fc.tuple(names, values), { maxLength: 6 }),
        (rawTarget, pairs) => {
          const result = verify({
            method: 'GET',
            rawTarget,
            rawHeaders: pairs.flat(),
            bodySha256: undefined,
          })
          assert.notEqual(result.kind, 'verified')
        },
      ),
      { numRuns: 300 },
    )
  })
})
