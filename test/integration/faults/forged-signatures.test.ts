import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'

import { CreateBucketCommand, GetObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import fc from 'fast-check'

import { disposeBerth, startBerth } from '../../support/berth.ts'
import type { RunningBerth } from '../../support/berth.ts'
import { serveEndpoint } from '../../support/serving.ts'
import { WireClient, signRequest } from '../../support/signed-request.ts'
import type { Signing, WireRequest } from '../../support/signed-request.ts'

const FACES = ['control', 'runtime', 's3', 'sts'] as const
type Face = (typeof FACES)[number]

/** The codes with which AWS's own services refuse: SageMaker, SageMaker Runtime, S3, STS. */
type Codes = readonly [control: string, runtime: string, s3: string, sts: string]
const MISMATCH: Codes = codes(
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'SignatureDoesNotMatch',
)
const SKEWED = codes('InvalidSignatureException', 'RequestTimeTooSkewed', 'SignatureDoesNotMatch')
const UNKNOWN_KEY = codes(
  'UnrecognizedClientException',
  'InvalidAccessKeyId',
  'InvalidClientTokenId',
)
const BAD_TOKEN = codes('UnrecognizedClientException', 'InvalidToken', 'InvalidClientTokenId')
const MISSING = codes(
  'MissingAuthenticationTokenException',
  'AccessDenied',
  'MissingAuthenticationToken',
)
const BAD_SCOPE = codes(
  'InvalidSignatureException',
  'AuthorizationHeaderMalformed',
  'SignatureDoesNotMatch',
)
// Where the path does not say which service is asked, the scope does, and Berth has no IAM.
const OTHER_SERVICE: Codes = [
  'InvalidSignatureException',
  'InvalidSignatureException',
  'UnknownOperationException',
  'InvalidAction',
]
// Without its content type nobody can tell a call of STS.
const STRIPPED: Codes = codes(
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'InvalidSignatureException',
)
const INCOMPLETE = codes(
  'IncompleteSignatureException',
  'AuthorizationHeaderMalformed',
  'IncompleteSignature',
)
const UNSIGNED_HEADER = codes('InvalidSignatureException', 'AccessDenied', 'SignatureDoesNotMatch')
const OTHER_BODY = codes(
  'InvalidSignatureException',
  'XAmzContentSHA256Mismatch',
  'SignatureDoesNotMatch',
)

/** How a request is forged: by signing it otherwise, or by changing it after it was signed. */
interface Forgery {
  readonly name: string
  readonly signing?: (signing: Signing) => Signing
  readonly change?: (request: WireRequest) => WireRequest
  readonly codes: Codes
}

const MINUTE_MS = 60_000

const FORGERIES: readonly Forgery[] = [
  {
    name: 'other secret',
    signing: (s) => ({ ...s, secretAccessKey: 'x'.repeat(40) }),
    codes: MISMATCH,
  },
  {
    name: 'secret that lacks its last character',
    signing: (s) => ({ ...s, secretAccessKey: s.secretAccessKey.slice(0, -1) }),
    codes: MISMATCH,
  },
  {
    name: 'truncated access key',
    signing: (s) => ({ ...s, accessKeyId: s.accessKeyId.slice(0, -1) }),
    codes: UNKNOWN_KEY,
  },
  {
    name: 'session token that Berth has not made',
    signing: (s) => ({ ...s, accessKeyId: 'ASIAABCDEFGHIJKLMNOP', sessionToken: 'made up' }),
    codes: BAD_TOKEN,
  },
  {
    name: 'signed 16 minutes ago',
    signing: (s) => ({ ...s, signedAt: new Date(Date.now() - 16 * MINUTE_MS) }),
    codes: SKEWED,
  },
  {
    name: 'signed for 16 minutes from now',
    signing: (s) => ({ ...s, signedAt: new Date(Date.now() + 16 * MINUTE_MS) }),
    codes: SKEWED,
  },
  {
    name: 'old signature with the date of now',
    signing: (s) => ({ ...s, signedAt: onSameDay(new Date(Date.now() - 10 * MINUTE_MS)) }),
    change: (r) => withHeader(r, 'x-amz-date', amzDate(new Date())),
    codes: MISMATCH,
  },
  { name: 'other region', signing: (s) => ({ ...s, region: 'eu-west-1' }), codes: BAD_SCOPE },
  { name: 'other service', signing: (s) => ({ ...s, service: 'iam' }), codes: OTHER_SERVICE },
  {
    name: 'swapped body',
    change: (r) => ({ ...r, body: r.body.replace(/.$/s, ' ') }),
    codes: OTHER_BODY,
  },
  {
    name: 'swapped body and its hash',
    change: (r) => withHeader({ ...r, body: '' }, 'x-amz-content-sha256', EMPTY_SHA256),
    codes: MISMATCH,
  },
  { name: 'swapped host', change: (r) => withHeader(r, 'host', '127.0.0.1:1'), codes: MISMATCH },
  {
    name: 'query that was not signed',
    change: (r) => ({ ...r, query: { ...r.query, 'max-keys': '1' } }),
    codes: MISMATCH,
  },
  {
    name: 'stripped signed header',
    change: (r) => withoutHeader(r, 'content-type'),
    codes: STRIPPED,
  },
  {
    name: 'header that should have been signed',
    change: (r) => withHeader(r, 'x-amz-security-token', 'x'),
    codes: UNSIGNED_HEADER,
  },
  { name: 'no signature', change: (r) => withoutHeader(r, 'authorization'), codes: MISSING },
  {
    name: 'truncated signature',
    change: (r) => changeHeader(r, 'authorization', (value) => value.slice(0, -1)),
    codes: MISMATCH,
  },
  {
    name: 'no signed headers named',
    change: (r) => changeHeader(r, 'authorization', (v) => v.replace(/SignedHeaders=[^,]*, /, '')),
    codes: INCOMPLETE,
  },
]

const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** Every code by which a signature may be refused, for requests that were changed at random. */
const REFUSALS = new Set([
  ...[MISMATCH, SKEWED, UNKNOWN_KEY, BAD_TOKEN, MISSING, BAD_SCOPE, INCOMPLETE].flat(),
  ...[UNSIGNED_HEADER, OTHER_BODY].flat(),
  'AuthorizationQueryParametersError',
  'InvalidArgument',
  'InvalidRequest',
])

let berth: RunningBerth
let client: WireClient
before(async () => {
  berth = await startBerth()
  client = new WireClient(berth.port)
  await berth.s3.send(new CreateBucketCommand({ Bucket: 'bucket' }))
  await serveEndpoint(berth, { name: 'echo' })
})
after(async () => {
  client.close()
  await disposeBerth(berth)
})

for (const [index, face] of FACES.entries()) {
  suite(`${face} refuses`, () => {
    test('nothing that is signed as it should be', async () => {
      const { status, body } = await client.send(await signed(face))
      assert.equal(status, 200, body)
    })

    for (const { name, signing, change, codes: expected } of FORGERIES) {
      test(name, async () => {
        const request = await signed(face, signing)
        const { status, code, body } = await client.send(change?.(request) ?? request)
        assert.equal(code, expected[index], body)
        assert.ok(status === 400 || status === 403, `status ${status}`)
      })
    }
  })
}

suite('presigned S3 requests', () => {
  test('are answered until they expire, and not after', async () => {
    await client.send(await signed('s3'))
    const fresh = await presign(new Date())
    assert.equal((await fetch(fresh)).status, 200)
    assert.equal(
      await codeOf(fresh.replace('X-Amz-Expires=60', 'X-Amz-Expires=3600')),
      'SignatureDoesNotMatch',
    )
    assert.equal(await codeOf(fresh.replace('/key?', '/other?')), 'SignatureDoesNotMatch')
    assert.equal(await codeOf(await presign(new Date(Date.now() - 2 * MINUTE_MS))), 'AccessDenied')
  })

  function presign(signingDate: Date): Promise<string> {
    const command = new GetObjectCommand({ Bucket: 'bucket', Key: 'key' })
    return getSignedUrl(berth.s3, command, { expiresIn: 60, signingDate })
  }

  async function codeOf(url: string): Promise<string | undefined> {
    const [, code] = /<Code>([^<]+)</.exec(await (await fetch(url)).text()) ?? []
    return code
  }
})

test('no request that was changed after it was signed passes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...FACES), mutation(), async (face, mutate) => {
      const request = await signed(face)
      const changed = mutate(request)
      fc.pre(changed !== undefined)
      const { status, code, body } = await client.send(changed)
      assert.ok(
        status === 400 || status === 403,
        `${status} ${body} for ${JSON.stringify(changed)}`,
      )
      assert.ok(REFUSALS.has(code ?? ''), `${status} ${body} for ${JSON.stringify(changed)}`)
    }),
    { numRuns: 400 },
  )
})

type Mutation = (request: WireRequest) => WireRequest | undefined

/** One character of something that is signed becomes another, or something signed goes or comes. */
function mutation(): fc.Arbitrary<Mutation> {
  const at = fc.nat()
  const character = fc.constantFrom(...Array.from('abcdefghijklmnopqrstuvwxyz0123456789'))
  return fc.oneof(
    fc.tuple(at, at, character).map(([header, position, replacement]) => (r: WireRequest) => {
      const name = pick(Object.keys(r.headers), header)
      return changeAt(r.headers[name] ?? '', position, replacement, (v) => withHeader(r, name, v))
    }),
    fc.tuple(at, character).map(([position, replacement]) => (r: WireRequest) => {
      return changeAt(r.path, position, replacement, (path) => ({ ...r, path }))
    }),
    fc.tuple(at, character).map(([position, replacement]) => (r: WireRequest) => {
      return changeAt(r.body, position, replacement, (body) => ({ ...r, body }))
    }),
    at.map((header) => (r: WireRequest) => {
      // HTTP itself refuses a request without Host.
      const names = Object.keys(r.headers).filter((name) => name !== 'host')
      return withoutHeader(r, pick(names, header))
    }),
    fc.constant((r: WireRequest) => ({ ...r, body: `${r.body} ` })),
    fc.constantFrom('GET', 'PUT', 'DELETE', 'POST', 'HEAD').map((method) => (r: WireRequest) => {
      // The answer to HEAD has no body that could say its code.
      return r.method === method || method === 'HEAD' ? undefined : { ...r, method }
    }),
    fc.tuple(character, character).map(([name, value]) => (r: WireRequest) => {
      return { ...r, query: { ...r.query, [name]: value } }
    }),
    fc.tuple(character, character).map(([name, value]) => (r: WireRequest) => {
      return withHeader(r, `x-amz-meta-${name}`, value)
    }),
  )
}

// Not another case of the same letter: some names mean the same in either.
function changeAt(
  value: string,
  position: number,
  replacement: string,
  rebuild: (changed: string) => WireRequest,
): WireRequest | undefined {
  const places = [...value.matchAll(/[a-z0-9]/gi)].map(({ index }) => index)
  if (places.length === 0) return undefined
  const index = pick(places, position)
  if (value[index]?.toLowerCase() === replacement) return undefined
  return rebuild(value.slice(0, index) + replacement + value.slice(index + 1))
}

function requestTo(face: Face): WireRequest {
  const host = `127.0.0.1:${berth.port}`
  const form = 'application/x-www-form-urlencoded'
  const json = 'application/x-amz-json-1.1'
  const plain = { method: 'POST', path: '/', query: {} }
  switch (face) {
    case 'control': {
      const target = { 'x-amz-target': 'SageMaker.ListModels' }
      return { ...plain, headers: { host, 'content-type': json, ...target }, body: '{}' }
    }
    case 'runtime': {
      const path = '/endpoints/echo/invocations'
      return { ...plain, path, headers: { host, 'content-type': 'text/csv' }, body: '1,2,3' }
    }
    case 's3': {
      const headers = { host, 'content-type': 'text/plain' }
      return { ...plain, method: 'PUT', path: '/bucket/key', headers, body: 'an object' }
    }
    case 'sts': {
      const body = 'Action=GetCallerIdentity&Version=2011-06-15'
      return { ...plain, headers: { host, 'content-type': form }, body }
    }
  }
}

function signingFor(face: Face): Signing {
  const service = face === 's3' || face === 'sts' ? face : 'sagemaker'
  return { ...berth.credentials, service }
}

function signed(face: Face, change?: (signing: Signing) => Signing): Promise<WireRequest> {
  const signing = signingFor(face)
  return signRequest(requestTo(face), change?.(signing) ?? signing)
}

function codes(sageMaker: string, s3: string, sts: string): Codes {
  return [sageMaker, sageMaker, s3, sts]
}

function withHeader(request: WireRequest, name: string, value: string): WireRequest {
  return { ...request, headers: { ...request.headers, [name]: value } }
}

function withoutHeader(request: WireRequest, name: string): WireRequest {
  const headers = Object.entries(request.headers).filter(([known]) => known !== name)
  return { ...request, headers: Object.fromEntries(headers) }
}

function changeHeader(
  request: WireRequest,
  name: string,
  change: (value: string) => string,
): WireRequest {
  return withHeader(request, name, change(request.headers[name] ?? ''))
}

// The scope of a signature names its day: one of yesterday would be refused for that.
function onSameDay(past: Date): Date {
  const isOfToday = amzDate(past).slice(0, 8) === amzDate(new Date()).slice(0, 8)
  return isOfToday ? past : new Date(2 * Date.now() - past.getTime())
}

function amzDate(date: Date): string {
  return date.toISOString().replaceAll(/[-:]|\.\d{3}/g, '')
}

function pick<T>(values: readonly T[], index: number): T {
  const value = values[index % values.length]
  assert.ok(value !== undefined)
  return value
}
