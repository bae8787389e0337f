import { createHash, createHmac, createSecretKey, hash } from 'node:crypto'
import { Authenticator } from '../src/gateway/authenticate.ts'
import { systemClock } from '../src/platform/clock.ts'
import { containerHeaders, parseInvocationHead } from '../src/wire/runtime-request.ts'
import type { SignedRequest } from '../src/wire/auth-types.ts'
import { invocationHeaders } from '../src/wire/runtime-response.ts'
import { parseClaim } from '../src/wire/sigv4-claim.ts'
import { HeadForms } from '../src/wire/sigv4-forms.ts'
import { SigningKey } from '../src/wire/sigv4-keys.ts'
import type { Section } from './harness/report.ts'
import {
  copyRequest,
  cutRequest,
  RECEIVED_COUNT,
  type ReceivedRequest,
  recordSdkRequests,
  signBoto3Requests,
  SIGNING,
} from './harness/received.ts'
import { type Case, runRounds } from './harness/rounds.ts'
import type { BenchOptions } from './harness/scale.ts'
import { median, range } from './harness/stats.ts'

const PASSES_PER_ROUND = 40
const HASHES_PER_ROUND = 50_000
/** What verifying one invocation costs, without sockets, and what reading its head and making both heads that follow costs. */
export async function measureSigV4({ scale, show }: BenchOptions): Promise<Section> {
  const authenticator = new Authenticator(
    { ...SIGNING, sessionKey: Buffer.alloc(32), accountId: '000000000000' },
    systemClock,
  )
  const verify = ({ method, rawTarget, rawHeaders, body }: ReceivedRequest): void => {
    const verifiedHead = authenticator.verifyHead({ method, rawTarget, rawHeaders })
    authenticator.verifyBody(verifiedHead, body)
  }
  const forms = new HeadForms()
  const sdk = await recordSdkRequests()
  const boto3 = await signBoto3Requests()
  for (const request of [...sdk.slice(0, 1), ...boto3.slice(0, 1)]) forms.learn(unhashed(request))
  const cases = Object.entries({ 'JavaScript SDK': sdk, boto3 }).flatMap(([client, requests]) => {
    const cut = { requests, receive: cutRequest }
    return [
      toCase(`verify, ${client}`, { requests, receive: copyRequest }, verify),
      toCase(`verify, ${client}, head in one text`, cut, verify),
      toCase(`claim parsed, ${client}`, cut, (request) => parseClaim(unhashed(request))),
      toCase(`claim recalled, ${client}`, cut, (request) => forms.recall(unhashed(request))),
      toCase(`heads, ${client}`, cut, translateHeads),
    ]
  })
  // The first rounds are the compiler's.
  await runRounds(cases, 1, show)
  const results = await runRounds(cases, scale.roundCount, show)
  const ways = await runRounds(hashCases(), scale.roundCount, show)
  return {
    title: 'SigV4: one invocation verified',
    text: describe(scale.roundCount),
    tables: [
      { columns: ['Step', 'median', 'range'], rows: toRows(results) },
      { columns: ['Ways to hash', 'median', 'range'], rows: toRows(ways) },
    ],
  }
}

function toRows(results: ReadonlyMap<string, readonly number[]>): string[][] {
  return [...results].map(([name, samples]) => {
    const [least, most] = range(samples)
    return [name, formatUs(median(samples)), `${formatUs(least)} – ${formatUs(most)}`]
  })
}

interface Traffic {
  readonly requests: readonly ReceivedRequest[]
  /** Makes new strings each time, as from a socket: a text that was a map's key before has its hash with it. */
  readonly receive: (request: ReceivedRequest) => ReceivedRequest
}

function toCase(
  name: string,
  traffic: Traffic,
  step: (request: ReceivedRequest) => void,
): Case<number> {
  return { name, measure: () => measureRound(traffic, step) }
}

function measureRound(
  { requests, receive }: Traffic,
  step: (request: ReceivedRequest) => void,
): Promise<number> {
  let spentUs = 0
  for (let pass = 0; pass < PASSES_PER_ROUND; pass++) {
    const received = requests.map(receive)
    const before = process.threadCpuUsage()
    for (const request of received) step(request)
    const { user, system } = process.threadCpuUsage(before)
    spentUs += user + system
  }
  return Promise.resolve(spentUs / (PASSES_PER_ROUND * requests.length))
}

/** What was chosen among, for a body of 800 bytes and a string to sign of 135. Decision 0003 says why. */
function hashCases(): Case<number>[] {
  const body = Buffer.alloc(800, 'a')
  const stringToSign = 's'.repeat(135)
  const secret = Buffer.alloc(32, 7)
  const keyObject = createSecretKey(secret)
  const key = new SigningKey(secret, { date: '20240102', ...SIGNING })
  const [inner, outer] = [createHash('sha256'), createHash('sha256')]
  for (const begun of [inner, outer]) begun.update(Buffer.alloc(64, 7))
  const ways: Readonly<Record<string, () => string>> = {
    'body: hash': () => hash('sha256', body, 'hex'),
    'body: createHash': () => createHash('sha256').update(body).digest('hex'),
    'HMAC: two hashes, key in place': () => key.sign('20240102T030405Z', 'a'.repeat(64)),
    'HMAC: createHmac': () => createHmac('sha256', secret).update(stringToSign).digest('hex'),
    'HMAC: createHmac, key object': () =>
      createHmac('sha256', keyObject).update(stringToSign).digest('hex'),
    'HMAC: copies of begun hashes': () => {
      const digest = inner.copy().update(stringToSign).digest()
      return outer.copy().update(digest).digest('hex')
    },
  }
  return Object.entries(ways).map(([name, way]) => ({
    name,
    measure: () => Promise.resolve(measureWay(way)),
  }))
}

function measureWay(way: () => string): number {
  for (let count = 0; count < HASHES_PER_ROUND; count++) way()
  const before = process.threadCpuUsage()
  for (let count = 0; count < HASHES_PER_ROUND; count++) way()
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / HASHES_PER_ROUND
}

function translateHeads({ rawHeaders }: ReceivedRequest): void {
  const head = parseInvocationHead('InvokeEndpoint', 'mlp', rawHeaders)
  const toContainer = containerHeaders(head, '7d3c1b9e-2f57-4c64-9a75-3f0f9a1f1d11')
  const toClient = invocationHeaders({
    requestId: '7d3c1b9e-2f57-4c64-9a75-3f0f9a1f1d11',
    variantName: 'AllTraffic',
    contentType: head.contentType,
    customAttributes: undefined,
  })
  if (!('Accept' in toContainer) || !('Content-Type' in toClient)) throw new Error('lost a header')
}

function unhashed({ method, rawTarget, rawHeaders }: ReceivedRequest): SignedRequest {
  return { method, rawTarget, rawHeaders, bodySha256: undefined }
}

function formatUs(us: number): string {
  return `${us.toFixed(2)} µs`
}

function describe(roundCount: number): string {
  return [
    `${RECEIVED_COUNT} different InvokeEndpoint requests with JSON bodies of about 800 bytes, with the headers that each`,
    'client sends. *verify* is signature and body hash; *head in one text* as the front reads it, otherwise each name and',
    "value is a text of its own, as node's HTTP server has it. *claim* is the part of verifying that needs no key, parsed",
    'or, of a client whose form is known, recalled. *heads* reads the invocation from the headers and makes the heads',
    `of the request to the container and of the reply. Processor time of one thread, no sockets; medians of ${roundCount} rounds.`,
  ].join('\n')
}
