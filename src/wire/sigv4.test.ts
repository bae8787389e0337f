import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { SecretLookup, SignedRequest, VerifyResult } from './auth-types.ts'
import {
  canonicalQuery,
  canonicalUri,
  groupHeaders,
  hashCanonicalRequest,
} from './sigv4-canonical.ts'
import { SigningKeyCache } from './sigv4-keys.ts'
import { parseSignedHeaders } from './sigv4-signed-headers.ts'
import { matchesPayload, requiresBody, verifyRequest, type VerifyDeps } from './sigv4.ts'

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const NOW_MS = Date.UTC(2024, 0, 2, 3, 4, 5)
const PRINCIPAL = { arn: 'arn:aws:iam::000000000000:root', userId: 'r', accountId: '000000000000' }

function deps(overrides: Partial<VerifyDeps> = {}): VerifyDeps {
  return {
    findSecret: (accessKeyId): SecretLookup =>
      accessKeyId === 'AKIDEXAMPLE'
        ? { kind: 'found', secretAccessKey: SECRET, principal: PRINCIPAL }
        : { kind: 'unknown-key' },
    regions: ['us-east-1'],
    nowMs: NOW_MS,
    signingKeys: new SigningKeyCache(),
    ...overrides,
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const kindOf = (result: VerifyResult): string =>
  result.kind === 'rejected' ? result.failure.kind : result.kind

const BODY = '{"ModelName": "m1"}'
const DESCRIBE: SignedRequest = {
  method: 'POST',
  rawTarget: '/',
  rawHeaders: [
    'Host',
    'localhost:8080',
    'Content-Type',
    'application/x-amz-json-1.1',
    'X-Amz-Date',
    '20240102T030405Z',
    'X-Amz-Target',
    'SageMaker.DescribeModel',
    'Authorization',
    'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20240102/us-east-1/sagemaker/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=14a85b82afd56f6f54e1b6001f5f99a77ac26cc9b3e427c1949eebe370cde215',
  ],
  bodySha256: sha256(BODY),
}
const INVOKE: SignedRequest = {
  method: 'POST',
  rawTarget: '/endpoints/my%20ep/invocations',
  rawHeaders: [
    'host',
    'localhost:8080',
    'content-type',
    'text/csv',
    'x-amz-date',
    '20240102T030405Z',
    'authorization',
    'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20240102/us-east-1/sagemaker/aws4_request,SignedHeaders=content-type;host;x-amz-date,Signature=a83258d580b6a76e95256bdce16c83f446f572daddd3f9096625f1b668225b8c',
  ],
  bodySha256: sha256('1,2,3'),
}
const PRESIGNED_QUERY =
  'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20240102%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20240102T030405Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host'
const PRESIGNED: SignedRequest = {
  method: 'GET',
  rawTarget: `/bucket/a%20b.csv?${PRESIGNED_QUERY}&X-Amz-Signature=7baeea10a7ed36ffdcb46bcab377ffb3ebb347da05f53063d0bea601f91334e5`,
  rawHeaders: ['host', 'localhost:8080'],
  bodySha256: undefined,
}

/** The request with one header replaced, added (value given) or removed (undefined). */
function withHeader(
  request: SignedRequest,
  name: string,
  value: string | undefined,
): SignedRequest {
  const rawHeaders: string[] = []
  for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
    const header = request.rawHeaders[index] ?? ''
    if (header.toLowerCase() !== name) rawHeaders.push(header, request.rawHeaders[index + 1] ?? '')
  }
  if (value !== undefined) rawHeaders.push(name, value)
  return { ...request, rawHeaders }
}

function withAuthorization(replace: (text: string) => string): SignedRequest {
  return withHeader(DESCRIBE, 'authorization', replace(DESCRIBE.rawHeaders.at(-1) ?? ''))
}

describe('the vectors of the reference', () => {
  const cases: readonly [given: string, request: SignedRequest, service: string][] = [
    ['a JSON operation', DESCRIBE, 'sagemaker'],
    ['an invocation whose path is encoded twice', INVOKE, 'sagemaker'],
    ['a presigned S3 download', PRESIGNED, 's3'],
  ]
  for (const [given, request, service] of cases) {
    it(`verifies ${given}`, () => {
      const result = verifyRequest(request, deps())
      assert.equal(kindOf(result), 'verified')
      assert.ok(result.kind === 'verified')
      assert.equal(result.service, service)
      assert.equal(result.region, 'us-east-1')
      assert.equal(result.accessKeyId, 'AKIDEXAMPLE')
      assert.deepEqual(result.principal, PRINCIPAL)
    })
  }
})

describe('refusals', () => {
  const duplicateSignature = `${PRESIGNED.rawTarget}&X-Amz-Signature=${'0'.repeat(64)}`
  const cases: readonly [given: string, kind: string, request: SignedRequest, now?: number][] = [
    ['no Authorization', 'missing', withHeader(DESCRIBE, 'authorization', undefined)],
    ['a bearer token', 'malformed', withHeader(DESCRIBE, 'authorization', 'Bearer abc')],
    ['no Signature', 'malformed', withAuthorization((text) => text.replace(/, Signature=.*/, ''))],
    [
      'two Signatures',
      'malformed',
      withAuthorization((text) => `${text}, Signature=${'0'.repeat(64)}`),
    ],
    [
      'two Authorization headers',
      'malformed',
      { ...DESCRIBE, rawHeaders: [...DESCRIBE.rawHeaders, 'Authorization', 'x'] },
    ],
    [
      'two Host headers',
      'malformed',
      { ...DESCRIBE, rawHeaders: [...DESCRIBE.rawHeaders, 'Host', 'x'] },
    ],
    [
      'a truncated key',
      'unknown-key',
      withAuthorization((text) => text.replace('AKIDEXAMPLE', 'AKIDEXAMPL')),
    ],
    ['an empty key', 'malformed', withAuthorization((text) => text.replace('AKIDEXAMPLE', ''))],
    [
      'a four-part credential',
      'malformed',
      withAuthorization((text) => text.replace('/sagemaker', '')),
    ],
    ['a short signature', 'bad-signature', withAuthorization((text) => text.slice(0, -1))],
    [
      'an upper-case signature',
      'bad-signature',
      withAuthorization((text) => text.replace(/[0-9a-f]{64}/, (hex) => hex.toUpperCase())),
    ],
    [
      'another terminator',
      'bad-scope',
      withAuthorization((text) => text.replace('aws4_request', 'aws4')),
    ],
    [
      'another region',
      'bad-scope',
      withAuthorization((text) => text.replace('us-east-1', 'mars-1')),
    ],
    [
      'another day in the scope',
      'bad-scope',
      withAuthorization((text) => text.replace('20240102', '20240103')),
    ],
    [
      'a date that is not one',
      'malformed',
      withHeader(DESCRIBE, 'x-amz-date', '2024-01-02T03:04:05Z'),
    ],
    ['30 February', 'malformed', withHeader(DESCRIBE, 'x-amz-date', '20240230T030405Z')],
    ['no date', 'malformed', withHeader(DESCRIBE, 'x-amz-date', undefined)],
    ['an unsigned x-amz header', 'unsigned-header', withHeader(DESCRIBE, 'x-amz-meta-a', 'b')],
    ['an unsigned host', 'unsigned-header', withAuthorization((text) => text.replace('host;', ''))],
    [
      'a signed header that is gone',
      'bad-signature',
      withHeader(DESCRIBE, 'content-type', undefined),
    ],
    [
      'unsorted signed headers',
      'malformed',
      withAuthorization((text) => text.replace('content-type;host', 'host;content-type')),
    ],
    ['a swapped body', 'bad-signature', { ...DESCRIBE, bodySha256: sha256('{}') }],
    ['a swapped host', 'bad-signature', withHeader(DESCRIBE, 'host', 'elsewhere:8080')],
    [
      'an unsigned payload outside S3',
      'unsigned-header',
      withHeader(DESCRIBE, 'x-amz-content-sha256', 'UNSIGNED-PAYLOAD'),
    ],
    ['5 minutes and 1 second ago', 'expired', DESCRIBE, NOW_MS + 301_000],
    ['5 minutes and 1 second ahead', 'not-yet-valid', DESCRIBE, NOW_MS - 301_000],
    ['a presigned URL after its hour', 'presign-expired', PRESIGNED, NOW_MS + 3_601_000],
    ['a presigned URL 15 minutes early', 'not-yet-valid', PRESIGNED, NOW_MS - 901_000],
    [
      'two presigned signatures',
      'malformed-query',
      { ...PRESIGNED, rawTarget: duplicateSignature },
    ],
    [
      'a presigned URL for 8 days',
      'malformed-query',
      { ...PRESIGNED, rawTarget: PRESIGNED.rawTarget.replace('=3600', '=691200') },
    ],
    [
      'a presigned URL for ever',
      'malformed-query',
      { ...PRESIGNED, rawTarget: PRESIGNED.rawTarget.replace('=3600', '=1e9') },
    ],
    [
      'header and query at once',
      'malformed',
      withHeader(PRESIGNED, 'authorization', 'AWS4-HMAC-SHA256 x'),
    ],
    ['an absolute target', 'malformed', { ...DESCRIBE, rawTarget: 'http://localhost:8080/' }],
  ]
  for (const [given, kind, request, now] of cases) {
    it(`refuses ${given} as ${kind}`, () => {
      assert.equal(kindOf(verifyRequest(request, deps({ nowMs: now ?? NOW_MS }))), kind)
    })
  }

  it('accepts both ends of the clock window', () => {
    for (const nowMs of [NOW_MS - 300_000, NOW_MS + 300_000]) {
      assert.equal(verifyRequest(DESCRIBE, deps({ nowMs })).kind, 'verified')
    }
  })

  it("says when a signature expired in AWS's words", () => {
    const nowMs = Date.UTC(2024, 0, 2, 3, 15, 0)
    const result = verifyRequest(DESCRIBE, deps({ nowMs }))
    assert.ok(result.kind === 'rejected')
    assert.equal(
      result.failure.message,
      'Signature expired: 20240102T030405Z is now earlier than 20240102T031000Z (20240102T031500Z - 5 min.)',
    )
  })

  it('names the service it expected', () => {
    const result = verifyRequest(DESCRIBE, deps({ services: ['sts'] }))
    assert.ok(result.kind === 'rejected')
    assert.equal(result.failure.message, "Credential should be scoped to correct service: 'sts'.")
  })

  it('tells an expired token from a wrong one', () => {
    const expired = deps({ findSecret: () => ({ kind: 'token-expired' }) })
    const wrong = deps({ findSecret: () => ({ kind: 'bad-token' }) })
    assert.equal(kindOf(verifyRequest(DESCRIBE, expired)), 'token-expired')
    assert.equal(kindOf(verifyRequest(DESCRIBE, wrong)), 'bad-token')
  })
})

describe('before the body is read', () => {
  const head = { ...DESCRIBE, bodySha256: undefined }

  it('asks for the body when only the signature is left to verify', () => {
    assert.equal(requiresBody(head), true)
    assert.equal(verifyRequest(head, deps()).kind, 'needs-body')
  })

  it('refuses an unknown key without the body', () => {
    const request = withHeader(
      head,
      'authorization',
      (head.rawHeaders.at(-1) ?? '').replace('AKID', 'AKIX'),
    )
    assert.equal(kindOf(verifyRequest(request, deps())), 'unknown-key')
  })

  it('promises the hash of a body that S3 streams', () => {
    const result = verifyRequest(PRESIGNED, deps())
    assert.ok(result.kind === 'verified')
    assert.equal(requiresBody(PRESIGNED), false)
    assert.deepEqual(result.payload, { kind: 'unsigned' })
    assert.equal(matchesPayload({ kind: 'hash', sha256: sha256('a') }, sha256('b')), false)
    assert.equal(matchesPayload({ kind: 'hash', sha256: sha256('a') }, sha256('a')), true)
  })
})

describe('headers', () => {
  it('are grouped by name, repeated ones joined as they are signed', () => {
    const raw = ['Host', 'h', 'X-A', ' 1  2 ', 'x-b', '', 'x-a', '3', 'X-B', ' ', 'X-a', '\t4']
    const { valueByName, repeatedNames } = groupHeaders(raw)
    assert.deepEqual(Object.fromEntries(valueByName), { host: 'h', 'x-a': '1  2,3,4', 'x-b': ',' })
    assert.deepEqual(repeatedNames, ['x-a', 'x-b'])
  })

  it('that occur once stay as they came', () => {
    const { valueByName, repeatedNames } = groupHeaders(['Host', 'h', 'X-A', ' 1  2 '])
    assert.deepEqual(Object.fromEntries(valueByName), { host: 'h', 'x-a': ' 1  2 ' })
    assert.deepEqual(repeatedNames, [])
  })
})

describe('a signature', () => {
  it('that is the same only after cutting characters to bytes is another one', () => {
    const widen = (text: string) =>
      text.replace(/Signature=./, (head) => head.slice(0, -1) + widened(head.at(-1) ?? ''))
    const widened = (character: string) => String.fromCharCode(character.charCodeAt(0) + 0x100)
    assert.equal(kindOf(verifyRequest(withAuthorization(widen), deps())), 'bad-signature')
  })

  it('is not completed by the end of the one before', () => {
    for (const end of ['é', '\u0135', '\ud800', '5é', 'é5']) {
      assert.equal(verifyRequest(DESCRIBE, deps()).kind, 'verified')
      const request = withAuthorization((text) => text.slice(0, -end.length) + end)
      assert.equal(kindOf(verifyRequest(request, deps())), 'bad-signature', end)
    }
  })
})

describe('the hash of the body in a header', () => {
  const valid = sha256('')
  const wrong = [
    valid.toUpperCase(),
    valid.slice(1),
    `${valid}0`,
    `${valid.slice(1)}g`,
    `${valid.slice(1)}é`,
    `\u0135${valid.slice(1)}`,
    `${valid.slice(2)}  `,
    '',
  ]
  for (const text of wrong) {
    it(`is not "${text}"`, () => {
      const authorization = (DESCRIBE.rawHeaders.at(-1) ?? '').replace(
        ';x-amz-date',
        ';x-amz-content-sha256;x-amz-date',
      )
      const request = withHeader(
        withHeader(DESCRIBE, 'authorization', authorization),
        'x-amz-content-sha256',
        text,
      )
      const result = verifyRequest(request, deps())
      assert.ok(result.kind === 'rejected')
      assert.match(result.failure.message, /must be a hex SHA-256 digest/)
    })
  }
})

describe('canonical forms', () => {
  const paths: readonly [path: string, service: string, canonical: string][] = [
    ['', 'sagemaker', '/'],
    ['/a//b/./c/../d/', 'sagemaker', '/a/b/d/'],
    ['/endpoints/a%20b', 'sagemaker', '/endpoints/a%2520b'],
    ['/b-1/p/a%20b%2B%C3%A9.txt', 's3', '/b-1/p/a%20b%2B%C3%A9.txt'],
    ['/b//k/../x', 's3', '/b//k/../x'],
    ['/b/k=1+2', 's3', '/b/k%3D1%2B2'],
  ]
  for (const [path, service, canonical] of paths) {
    it(`signs ${path || 'an empty path'} of ${service} as ${canonical}`, () => {
      assert.equal(canonicalUri(path, service), canonical)
    })
  }

  it('sorts parameters by name and value, with one spelling each', () => {
    assert.equal(canonicalQuery('b=2&a=%7e&b=1&c&a=x+y'), 'a=x%2By&a=~&b=1&b=2&c=')
  })
})

describe('a request that is dated by Date alone', () => {
  it('verifies with the time in the form that is signed', () => {
    const date = 'Tue, 02 Jan 2024 03:04:05 GMT'
    const canonical = `GET\n/\n\ndate:${date}\nhost:h\n\ndate;host\n${sha256('')}`
    const scope = '20240102/us-east-1/sagemaker/aws4_request'
    const stringToSign = `AWS4-HMAC-SHA256\n20240102T030405Z\n${scope}\n${sha256(canonical)}`
    let key: Buffer | string = `AWS4${SECRET}`
    for (const part of scope.split('/')) key = createHmac('sha256', key).update(part).digest()
    const signature = createHmac('sha256', key).update(stringToSign).digest('hex')
    const authorization = `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/${scope}, SignedHeaders=date;host, Signature=${signature}`
    const rawHeaders = ['Host', 'h', 'Date', date, 'Authorization', authorization]
    const request = { method: 'GET', rawTarget: '/', rawHeaders, bodySha256: sha256('') }
    assert.equal(kindOf(verifyRequest(request, deps())), 'verified')
    assert.equal(
      kindOf(verifyRequest(withHeader(request, 'date', 'yesterday'), deps())),
      'malformed',
    )
  })
})

describe('blanks in signed headers', () => {
  const blanks = fc.constantFrom(' ', '  ', '\t', '\u00a0', 'a', 'b', ';', '')
  const value = fc.array(blanks, { maxLength: 8 }).map((parts) => parts.join(''))

  it('count as one between words and as none around them', () => {
    const hashOf = (text: string) => {
      const signedHeaders = parseSignedHeaders('x-a')
      assert.ok(signedHeaders !== undefined)
      const parts = { method: 'GET', uri: '/', query: '', payloadHash: 'p' }
      return hashCanonicalRequest({ ...parts, signedHeaders, signedValues: [text] })
    }
    fc.assert(
      fc.property(value, (text) => {
        const tidy = text.trim().replace(/\s+/g, ' ')
        const canonical = Buffer.from(`GET\n/\n\nx-a:${tidy}\n\nx-a\np`, 'latin1')
        assert.equal(hashOf(text), createHash('sha256').update(canonical).digest('hex'))
      }),
    )
  })
})
