import { SageMakerRuntimeClient, InvokeEndpointCommand } from '@aws-sdk/client-sagemaker-runtime'
import { createHash, createHmac, createSecretKey, hash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Authenticator } from '../src/gateway/authenticate.ts'
import { systemClock } from '../src/platform/clock.ts'
import { containerHeaders, parseInvocationHead } from '../src/wire/runtime-request.ts'
import { invocationHeaders } from '../src/wire/runtime-response.ts'
import { SigningKey } from '../src/wire/sigv4-keys.ts'
import type { Section } from './harness/report.ts'
import { type PlainRequest, signRequests } from './harness/requests.ts'
import { type Case, runRounds } from './harness/rounds.ts'
import type { BenchOptions } from './harness/scale.ts'
import { median, range } from './harness/stats.ts'

/** All different, so that no verdict could be remembered. */
const REQUEST_COUNT = 512
const PASSES_PER_ROUND = 40
const HASHES_PER_ROUND = 50_000
const ADDRESS = { kind: 'tcp', host: '127.0.0.1', port: 7070 } as const
const PATH = '/endpoints/mlp/invocations'
const SIGNING = {
  accessKeyId: 'AKIDBENCHBENCHBENCHX',
  secretAccessKey: 'wJalrXUtnFEMIK7MDENGbPxRfiCYBENCHBENCHXX',
  region: 'us-east-1',
  service: 'sagemaker',
} as const

interface ReceivedRequest {
  readonly method: string
  readonly rawTarget: string
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
}

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
  const sdk = await recordSdkRequests()
  const boto3 = await signBoto3Requests()
  const cases = [
    { name: 'verify, JavaScript SDK', measure: () => measureRound(sdk, verify) },
    { name: 'verify, boto3', measure: () => measureRound(boto3, verify) },
    { name: 'heads, JavaScript SDK', measure: () => measureRound(sdk, translateHeads) },
    { name: 'heads, boto3', measure: () => measureRound(boto3, translateHeads) },
  ]
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

function measureRound(
  requests: readonly ReceivedRequest[],
  step: (request: ReceivedRequest) => void,
): Promise<number> {
  let spentUs = 0
  for (let pass = 0; pass < PASSES_PER_ROUND; pass++) {
    // New strings each time, as from a socket: a text that was a map's key before has its hash with it.
    const received = requests.map(copyRequest)
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

/** Requests as the SDK sends them, taken from the wire. */
async function recordSdkRequests(): Promise<ReceivedRequest[]> {
  const received: ReceivedRequest[] = []
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const { method = '', url: rawTarget = '', rawHeaders } = request
      received.push({ method, rawTarget, rawHeaders, body: Buffer.concat(pieces) })
      response.end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const client = new SageMakerRuntimeClient({
    endpoint: `http://127.0.0.1:${port}`,
    region: SIGNING.region,
    credentials: SIGNING,
  })
  const fields = { ContentType: 'application/json', Accept: 'application/json' }
  for (const { body: Body } of plainRequests()) {
    await client.send(new InvokeEndpointCommand({ EndpointName: 'mlp', Body, ...fields }))
  }
  client.destroy()
  server.close()
  return received
}

// boto3 signs accept, content-type, host and x-amz-date, and leaves the hash of the body to the receiver.
async function signBoto3Requests(): Promise<ReceivedRequest[]> {
  const plain = plainRequests()
  const unsigned = Object.entries({
    'Accept-Encoding': 'identity',
    'User-Agent': 'Boto3/1.43.11 md/Botocore#1.43.11 ua/2.1 os/linux lang/python#3.11.7 m/D,Z',
    'amz-sdk-invocation-id': '1adbad2a-6b17-4e68-9f0c-654284a86189',
    'amz-sdk-request': 'attempt=1',
  }).flat()
  const encoded = await signRequests(ADDRESS, plain, { ...SIGNING, applyChecksum: false })
  return encoded.map((bytes, index) => {
    const [head = ''] = bytes.toString('latin1').split('\r\n\r\n', 1)
    const rawHeaders = head
      .split('\r\n')
      .slice(1)
      .flatMap((line) => [
        titleCase(line.slice(0, line.indexOf(':'))),
        line.slice(line.indexOf(':') + 2),
      ])
    const body = Buffer.from(plain[index]?.body ?? '')
    return { method: 'POST', rawTarget: PATH, rawHeaders: [...rawHeaders, ...unsigned], body }
  })
}

function titleCase(name: string): string {
  return name.replace(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase())
}

function plainRequests(): PlainRequest[] {
  return Array.from({ length: REQUEST_COUNT }, (_, k) => {
    const values = Array.from({ length: 75 }, (__, i) => Number(Math.sin(k * 64 + i).toFixed(6)))
    return {
      method: 'POST',
      path: PATH,
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ instances: [values] }),
    }
  })
}

function copyRequest({ method, rawTarget, rawHeaders, body }: ReceivedRequest): ReceivedRequest {
  const copy = (text: string) => Buffer.from(text, 'latin1').toString('latin1')
  return {
    method,
    rawTarget: copy(rawTarget),
    rawHeaders: rawHeaders.map(copy),
    body: Buffer.from(body),
  }
}

function formatUs(us: number): string {
  return `${us.toFixed(1)} µs`
}

function describe(roundCount: number): string {
  return [
    `${REQUEST_COUNT} different InvokeEndpoint requests with JSON bodies of about 800 bytes, with the headers that each`,
    'client sends. *verify* is signature and body hash; *heads* reads the invocation from the headers and makes the heads',
    `of the request to the container and of the reply. Processor time of one thread, no sockets; medians of ${roundCount} rounds.`,
  ].join('\n')
}
