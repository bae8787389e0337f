import { once } from 'node:events'
import { connect } from 'node:net'
import { type Address, addressOfUrl, connectOptions } from './harness/address.ts'
import { BenchBerth, makeDataDir } from './harness/berth.ts'
import { formatMs, type Section } from './harness/report.ts'
import { encodeRequests, type PlainRequest, signRequests } from './harness/requests.ts'
import { runRounds } from './harness/rounds.ts'
import type { BenchOptions } from './harness/scale.ts'
import { median, percentile, range } from './harness/stats.ts'

const NAME = 'echo'
const DIRECT = 'container, by HTTP'
const BERTH = 'Berth'
const MUST_REACH_MS = 1
const REQUESTS_PER_ROUND = 200
// Three parts, so that the first one is out long before the reply is whole.
const ORDERS = 'size=3000;chunks=3;chunk-delay-ms=5'

interface Sample {
  readonly p50Us: number
  readonly p99Us: number
}

/** How much later the first byte of a streamed reply reaches the caller than without a gateway. */
export async function measureStream({ scale, show }: BenchOptions): Promise<Section> {
  await using dataDir = await makeDataDir()
  await using berth = await BenchBerth.start(dataDir.path)
  await berth.registerContainers(NAME, { PrimaryContainer: { Image: 'berth/echo' } })
  await berth.createEndpoint(NAME)
  const direct = await berth.findInstanceAddress()
  const cases = [
    { name: DIRECT, measure: () => measureFirstBytes(direct, directRequests(direct)) },
    {
      name: BERTH,
      measure: async () =>
        measureFirstBytes(addressOfUrl(berth.running.url), await berthRequests(berth)),
    },
  ]
  const results = await runRounds(cases, scale.roundCount, show)
  const containerUs = (results.get(DIRECT) ?? []).map(({ p50Us }) => p50Us)
  const added = (results.get(BERTH) ?? []).map(
    ({ p50Us }, round) => p50Us - (containerUs[round] ?? p50Us),
  )
  const rows = [...results].map(([name, samples]) => [
    name,
    ...cells(samples.map(({ p50Us }) => p50Us)),
    formatMs(median(samples.map(({ p99Us }) => p99Us))),
  ])
  return {
    title: 'Streams: the first byte',
    text: `From the last byte of the request to the first byte of the reply's body, \`berth/echo\` sending three parts 5 ms apart, InvokeEndpointWithResponseStream with SigV4 on; medians of ${scale.roundCount} interleaved rounds of ${REQUESTS_PER_ROUND} requests. Target: at most ${MUST_REACH_MS} ms later than from the container.`,
    tables: [
      { columns: ['Way', 'p50', 'range', 'p99'], rows },
      { columns: ['Added, p50', 'range'], rows: [cells(added)] },
    ],
  }
}

function directRequests(address: Address): Buffer[] {
  return encodeRequests(address, plainRequests('/invocations'))
}

function berthRequests(berth: BenchBerth): Promise<Buffer[]> {
  const { environment, running } = berth
  const path = `/endpoints/${NAME}/invocations-response-stream`
  return signRequests(addressOfUrl(running.url), plainRequests(path), {
    accessKeyId: environment.AWS_ACCESS_KEY_ID,
    secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
    region: environment.AWS_REGION,
    service: 'sagemaker',
  })
}

function plainRequests(path: string): PlainRequest[] {
  const headers = {
    'content-type': 'text/plain',
    'x-amzn-sagemaker-custom-attributes': ORDERS,
    connection: 'close',
  }
  return Array.from({ length: REQUESTS_PER_ROUND }, (_, index) => {
    return { method: 'POST', path, headers, body: `request ${index}` }
  })
}

async function measureFirstBytes(address: Address, requests: readonly Buffer[]): Promise<Sample> {
  const tookUs: number[] = []
  for (const request of requests) tookUs.push(await timeFirstByte(address, request))
  return { p50Us: percentile(tookUs, 0.5), p99Us: percentile(tookUs, 0.99) }
}

async function timeFirstByte(address: Address, request: Buffer): Promise<number> {
  const socket = connect(connectOptions(address))
  await once(socket, 'connect')
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const sentAtMs = performance.now()
  let head = ''
  socket.on('data', (bytes: Buffer) => {
    head += bytes.toString('latin1')
    const bodyAt = head.indexOf('\r\n\r\n') + 4
    if (bodyAt < 4 || head.length === bodyAt) return
    if (!head.startsWith('HTTP/1.1 200 ')) reject(new Error(`The answer is ${head}`))
    else resolve((performance.now() - sentAtMs) * 1000)
    socket.removeAllListeners('data').resume()
  })
  socket.once('error', reject)
  socket.write(request)
  const tookUs = await promise
  await once(socket, 'close')
  return tookUs
}

function cells(us: readonly number[]): string[] {
  const [least, most] = range(us)
  return [formatMs(median(us)), `${formatMs(least)} – ${formatMs(most)}`]
}
