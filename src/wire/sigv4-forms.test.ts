import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { SecretLookup, SignedRequest, VerifyResult } from './auth-types.ts'
import { parseClaim } from './sigv4-claim.ts'
import { HeadForms } from './sigv4-forms.ts'
import { SigningKeyCache } from './sigv4-keys.ts'
import { verifyRequest, type VerifyDeps } from './sigv4.ts'

const NOW_MS = Date.UTC(2026, 5, 6, 7, 8, 9)
const SECRET_BY_KEY = new Map([
  ['AKIDFIRST', 'first secret'],
  ['AKIDOTHER', 'other secret'],
])
const PRINCIPAL = { arn: 'arn:aws:iam::000000000000:root', userId: 'r', accountId: '000000000000' }

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

interface Given {
  readonly accessKeyId: string
  readonly region: string
  readonly path: string
  readonly amzDate: string
  readonly body: string
  /** Whether the hash of the body is in a header. */
  readonly isHashSent: boolean
  /** Signed beside host and x-amz-*, in the spelling that is sent. */
  readonly others: Readonly<Record<string, string>>
  readonly unsigned: readonly string[]
}

const GIVEN: Given = {
  accessKeyId: 'AKIDFIRST',
  region: 'us-east-1',
  path: '/endpoints/ep/invocations',
  amzDate: '20260606T070809Z',
  body: '1,2',
  isHashSent: true,
  others: { 'Content-Type': 'text/csv' },
  unsigned: ['User-Agent', 'me'],
}

function sign(overrides: Partial<Given> = {}): SignedRequest {
  const given = { ...GIVEN, ...overrides }
  const { accessKeyId, region, amzDate, body } = given
  const signed: Record<string, string> = { ...given.others, Host: 'h:1', 'X-Amz-Date': amzDate }
  if (given.isHashSent) signed['x-amz-content-sha256'] = sha256(body)
  const lines = Object.entries(signed).map(([name, value]) => [name.toLowerCase(), value] as const)
  const sorted = lines.toSorted(([a], [b]) => (a < b ? -1 : 1))
  const list = sorted.map(([name]) => name).join(';')
  const text = sorted.map(([name, value]) => `${name}:${value.trim().replace(/\s+/g, ' ')}\n`)
  const canonical = `POST\n${given.path}\n\n${text.join('')}\n${list}\n${sha256(body)}`
  const scope = `${amzDate.slice(0, 8)}/${region}/sagemaker/aws4_request`
  let key: Buffer | string = `AWS4${SECRET_BY_KEY.get(accessKeyId) ?? 'unknown'}`
  for (const part of scope.split('/')) key = createHmac('sha256', key).update(part).digest()
  const stringToSign = `AWS4-HMAC-SHA256\n${amzDate}\n${scope}\n${sha256(canonical)}`
  const signature = createHmac('sha256', key).update(stringToSign).digest('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${list}, Signature=${signature}`
  const rawHeaders = [
    ...Object.entries(signed).flat(),
    ...given.unsigned,
    'Authorization',
    authorization,
  ]
  return { method: 'POST', rawTarget: given.path, rawHeaders, bodySha256: sha256(body) }
}

function deps(overrides: Partial<VerifyDeps> = {}): VerifyDeps {
  return {
    findSecret: (accessKeyId, sessionToken): SecretLookup => {
      const secretAccessKey = SECRET_BY_KEY.get(accessKeyId)
      if (secretAccessKey === undefined) return { kind: 'unknown-key' }
      if ((sessionToken ?? 'token') !== 'token') return { kind: 'bad-token' }
      return { kind: 'found', secretAccessKey, principal: PRINCIPAL }
    },
    regions: ['us-east-1', 'eu-west-1'],
    services: ['sagemaker'],
    nowMs: NOW_MS,
    signingKeys: new SigningKeyCache(),
    ...overrides,
  }
}

function withAuthorization(
  request: SignedRequest,
  replace: (text: string) => string,
): SignedRequest {
  const rawHeaders = [...request.rawHeaders.slice(0, -1), replace(request.rawHeaders.at(-1) ?? '')]
  return { ...request, rawHeaders }
}

function withValue(request: SignedRequest, name: string, value: string): SignedRequest {
  const { rawHeaders } = request
  return {
    ...request,
    rawHeaders: rawHeaders.map((text, index) =>
      index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name ? value : text,
    ),
  }
}

const withTarget = (request: SignedRequest, rawTarget: string): SignedRequest => ({
  ...request,
  rawTarget,
})
const withHeaders = (request: SignedRequest, ...more: readonly string[]): SignedRequest => ({
  ...request,
  rawHeaders: [...more, ...request.rawHeaders],
})

type Change = (request: SignedRequest) => SignedRequest

const unchanged: Change = (request) => request
/** To heads that have the form of the signed one, or nearly have it, and to ones that two readers might differ about. */
const CHANGES: readonly Change[] = [
  (request) => withTarget(request, '/endpoints/other/invocations'),
  (request) => withTarget(request, `${request.rawTarget}?a=1`),
  (request) => withTarget(request, `${request.rawTarget}?X-Amz-Signature=1`),
  (request) => withTarget(request, `http://h${request.rawTarget}`),
  (request) => withTarget(request, ''),
  (request) => withHeaders(request, 'Accept', 'text/csv'),
  (request) => withHeaders(request, 'x-amz-acl', 'private'),
  (request) => ({ ...request, rawHeaders: [...request.rawHeaders, 'x-amz-acl', 'private'] }),
  (request) => withValue(request, 'x-amz-security-token', 'another'),
  (request) => withHeaders(request, 'host', 'h:2'),
  (request) => withHeaders(request, 'content-type', 'text/plain'),
  (request) => withHeaders(request, 'Date', 'Sat, 06 Jun 2026 07:08:09 GMT'),
  (request) => ({ ...request, rawHeaders: request.rawHeaders.slice(2) }),
  (request) => ({ ...request, rawHeaders: request.rawHeaders.slice(0, -1) }),
  (request) => ({
    ...request,
    rawHeaders: request.rawHeaders.map((text, index) =>
      index % 2 === 0 ? text.toUpperCase() : text,
    ),
  }),
  (request) => ({
    ...request,
    rawHeaders: [...request.rawHeaders.slice(2, 4), 'x', 'y', ...request.rawHeaders.slice(4)],
  }),
  (request) => withValue(request, 'x-amz-date', '20260606T070810Z'),
  (request) => withValue(request, 'x-amz-date', '20260230T070809Z'),
  (request) => withValue(request, 'x-amz-date', '20260607T070809Z'),
  (request) => withValue(request, 'x-amz-date', '20260606T060809Z'),
  (request) => withValue(request, 'x-amz-content-sha256', 'UNSIGNED-PAYLOAD'),
  (request) => withValue(request, 'x-amz-content-sha256', sha256('else')),
  (request) => withValue(request, 'x-amz-content-sha256', `${'a'.repeat(63)}İ`),
  (request) => withValue(request, 'content-type', ' text  csv\t'),
  (request) => withValue(request, 'content-type', ''),
  (request) => withAuthorization(request, (text) => text.replace('AKIDFIRST', 'AKIDOTHER')),
  (request) => withAuthorization(request, (text) => text.replace('AKIDFIRST', 'AKIDNOONE')),
  (request) => withAuthorization(request, (text) => text.replace('us-east-1', 'eu-west-1')),
  (request) => withAuthorization(request, (text) => text.replace('us-east-1', 'af-south-1')),
  (request) => withAuthorization(request, (text) => text.replace('content-type;', '')),
  (request) => withAuthorization(request, (text) => text.replace(';x-amz-date', '')),
  (request) => withAuthorization(request, (text) => text.replaceAll(', ', ',')),
  (request) => withAuthorization(request, (text) => `${text.slice(0, -1)}0`),
  (request) => withAuthorization(request, (text) => `${text.slice(0, -2)}  `),
  (request) => withAuthorization(request, (text) => text.replace(/Signature=./, 'Signature= ')),
  (request) => withAuthorization(request, (text) => `${text.slice(0, -5)}, a=1`),
  (request) => withAuthorization(request, (text) => `${text.slice(0, -1)}=`),
  (request) => withAuthorization(request, (text) => text.replace('Signature=', 'Signature==')),
  (request) => withAuthorization(request, (text) => text.slice(0, -1)),
  (request) => withAuthorization(request, (text) => `${text}0`),
  (request) =>
    withAuthorization(request, (text) => `${text.slice(0, -20)}, Signature=${'0'.repeat(8)}`),
  (request) =>
    withAuthorization(
      request,
      (text) => `${text.slice(0, -64)}${', Signature='.repeat(6).slice(8)}`,
    ),
]

const given: fc.Arbitrary<Partial<Given>> = fc.record({
  accessKeyId: fc.constantFrom('AKIDFIRST', 'AKIDOTHER'),
  region: fc.constantFrom('us-east-1', 'eu-west-1'),
  amzDate: fc.constantFrom('20260606T070809Z', '20260606T070810Z'),
  body: fc.string({ maxLength: 4 }),
  isHashSent: fc.boolean(),
  others: fc.constantFrom<Record<string, string>>(
    { 'Content-Type': 'text/csv' },
    { 'content-type': 'text/csv', Accept: 'a  b' },
    { Accept: ' text/csv', 'CONTENT-TYPE': '' },
    { 'X-Amz-Security-Token': 'token' },
  ),
  unsigned: fc.constantFrom<string[]>([], ['User-Agent', 'me'], ['Via', 'a', 'via', 'b']),
})
const requests = fc.array(
  fc.tuple(given, fc.oneof(fc.constant(unchanged), fc.constantFrom(...CHANGES))),
  { minLength: 1, maxLength: 30 },
)

function listRequests(from: readonly (readonly [Partial<Given>, Change])[]): SignedRequest[] {
  return from.map(([overrides, change]) => change(sign(overrides)))
}

/** The verdict and everything it says, whether the body came before or after the head. */
function verdicts(request: SignedRequest, options: VerifyDeps): unknown[] {
  const complete = (result: VerifyResult): VerifyResult =>
    result.kind === 'needs-body' ? result.verifyRest(request.bodySha256 ?? '') : result
  const early = verifyRequest({ ...request, bodySha256: undefined }, options)
  return [early.kind, complete(early), verifyRequest(request, options)]
}

describe('a claim that is recalled', () => {
  it('is the one that parsing gives, whatever was learnt before', () => {
    fc.assert(
      fc.property(requests, (from) => {
        const forms = new HeadForms()
        for (const request of listRequests(from)) {
          const recalled = forms.recall(request)
          if (recalled !== undefined) {
            assert.deepEqual({ kind: 'claim', claim: recalled }, parseClaim(request))
          }
          forms.learn(request)
        }
      }),
    )
  })

  it('is the one that parsing gives of each changed head, if it is recalled', () => {
    const withToken = { others: { 'X-Amz-Security-Token': 'token' } }
    for (const from of [{}, { isHashSent: false }, withToken]) {
      for (const [index, change] of CHANGES.entries()) {
        const forms = new HeadForms()
        forms.learn(sign(from))
        const request = change(sign(from))
        const recalled = forms.recall(request)
        if (recalled === undefined) continue
        assert.deepEqual({ kind: 'claim', claim: recalled }, parseClaim(request), `${index}`)
      }
    }
  })

  it('leads to the same verdicts, of any requests in any order', () => {
    fc.assert(
      fc.property(requests, (from) => {
        const remembering = deps({ forms: new HeadForms() })
        const forgetful = deps()
        for (const request of listRequests(from)) {
          assert.deepEqual(verdicts(request, remembering), verdicts(request, forgetful))
        }
      }),
    )
  })

  it('is of the next request of each of several clients', () => {
    const clients = [
      {},
      { accessKeyId: 'AKIDOTHER' },
      { region: 'eu-west-1' },
      { isHashSent: false },
      { others: { Accept: 'a' } },
      { unsigned: ['Via', 'proxy'] },
    ]
    const forms = new HeadForms()
    const options = deps({ forms })
    for (const client of clients)
      assert.equal(verifyRequest(sign(client), options).kind, 'verified')
    for (const client of clients) {
      const next = { ...client, body: 'next', amzDate: '20260606T070811Z', path: '/endpoints/b' }
      const recalled = forms.recall(sign(next))
      assert.equal(recalled?.accessKeyId, client.accessKeyId ?? GIVEN.accessKeyId)
      assert.equal(recalled.region, client.region ?? GIVEN.region)
      assert.equal(verifyRequest(sign(next), options).kind, 'verified')
    }
  })
})

describe('a form', () => {
  it('is not learnt of a request whose signature is wrong', () => {
    const forms = new HeadForms()
    const options = deps({ forms })
    for (const isHashSent of [true, false]) {
      const forged = withAuthorization(sign({ isHashSent }), (text) => `${text.slice(0, -4)}0000`)
      verdicts(forged, options)
      assert.equal(forms.recall(sign({ isHashSent })), undefined)
    }
  })

  it('is learnt with the body when the signature covers it', () => {
    const forms = new HeadForms()
    const request = sign({ isHashSent: false })
    const early = verifyRequest({ ...request, bodySha256: undefined }, deps({ forms }))
    assert.ok(early.kind === 'needs-body')
    assert.equal(forms.recall(request), undefined)
    assert.equal(early.verifyRest(sha256('another')).kind, 'rejected')
    assert.equal(forms.recall(request), undefined)
    assert.equal(early.verifyRest(sha256(GIVEN.body)).kind, 'verified')
    assert.notEqual(forms.recall(request), undefined)
  })

  const unfit: readonly [given: string, request: SignedRequest][] = [
    ['repeats a name', sign({ unsigned: ['Via', 'a', 'via', 'b'] })],
    ['is too long', sign({ unsigned: ['n'.repeat(2000), ''] })],
    [
      'has something else where others have the signature',
      withAuthorization(sign(), (text) => `${text}, Else=${'a'.repeat(64)}`),
    ],
  ]
  for (const [why, request] of unfit) {
    it(`is not learnt of a head that ${why}`, () => {
      const forms = new HeadForms()
      assert.equal(verifyRequest(request, deps({ forms })).kind, 'verified')
      assert.equal(forms.recall(request), undefined)
    })
  }
})

describe('the forms', () => {
  const signed = sign()
  const heads = (count: number, prefix: string): SignedRequest[] =>
    Array.from({ length: count }, (_, index) => withHeaders(signed, `${prefix}-${index}`, ''))
  const countOf = (forms: HeadForms, known: readonly SignedRequest[]): number =>
    known.filter((request) => forms.recall(request) !== undefined).length

  it('are few, however many are learnt', () => {
    const forms = new HeadForms()
    const many = heads(1000, 'x')
    for (const request of many) forms.learn(request)
    assert.equal(countOf(forms, many), 8)
  })

  it('do not fill with one that is learnt of several requests at once', () => {
    const forms = new HeadForms()
    const [first, ...others] = heads(3, 'x')
    for (const request of others) forms.learn(request)
    assert.ok(first !== undefined)
    for (let count = 0; count < 1000; count += 1) forms.learn(first)
    assert.equal(countOf(forms, others), 2)
  })

  it('that are in use outlast those that come once', () => {
    const forms = new HeadForms()
    const used = heads(4, 'used')
    for (const request of used) forms.learn(request)
    for (const once of heads(1000, 'once')) {
      assert.equal(countOf(forms, used), used.length)
      forms.learn(once)
    }
  })

  it('that are in use no more make room', () => {
    const forms = new HeadForms()
    const before = heads(8, 'before')
    const after = heads(8, 'after')
    for (const request of before) forms.learn(request)
    assert.equal(countOf(forms, before), 8)
    for (let round = 0; round < 100; round += 1) for (const request of after) forms.learn(request)
    assert.equal(countOf(forms, after), 8)
  })

  it('are learnt soon after many heads that have none', () => {
    const forms = new HeadForms()
    const withoutForm = sign({ unsigned: ['Via', 'a', 'via', 'b'] })
    for (let count = 0; count < 1000; count += 1) forms.learn(withoutForm)
    for (let count = 0; count < 40; count += 1) forms.learn(signed)
    assert.notEqual(forms.recall(signed), undefined)
  })
})
