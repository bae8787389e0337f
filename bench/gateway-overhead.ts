import { join } from 'node:path'
import { type Address, addressOfUrl } from './harness/address.ts'
import { BenchBerth, makeDataDir, packageRoot } from './harness/berth.ts'
import { plainInvocations, signInvocations } from './harness/invocations.ts'
import { type LoadResult, openRequestFile, runLoad } from './harness/load.ts'
import { formatCount, formatMs, type Section, type Table } from './harness/report.ts'
import { encodeRequests } from './harness/requests.ts'
import { type Case, runRounds } from './harness/rounds.ts'
import { ROW_COUNT } from './harness/rows.ts'
import type { BenchOptions } from './harness/scale.ts'
import { median, range } from './harness/stats.ts'
import { hasWrk, runWrk } from './harness/wrk.ts'

const NAME = 'mlp'
const MODEL = join(packageRoot, 'bench', 'models', 'mlp-64-256-10.onnx')
const CONNECTION_COUNTS = [1, 16, 64] as const
const DIRECT = 'direct'
const BERTH = 'berth'
const WRK = 'berth, by wrk'

/** One measurement, of whichever generator. */
type Sample = Pick<LoadResult, 'perSecond' | 'p50Us' | 'p99Us'>

/** Both ways to the same instance. */
interface Ways {
  readonly berth: BenchBerth
  readonly direct: Address
  readonly withWrk: boolean
}

/** What Berth adds to a call of the container, and what it lets through. */
export async function measureGatewayOverhead({ scale, show }: BenchOptions): Promise<Section> {
  await using dataDir = await makeDataDir()
  await using berth = await BenchBerth.start(dataDir.path)
  await berth.registerModel(NAME, MODEL)
  await berth.createEndpoint(NAME)
  const direct = await berth.findInstanceAddress()
  const ways: Ways = { berth, direct, withWrk: await hasWrk() }
  await assertSameAnswers(ways)

  const rows: (readonly string[])[] = []
  let added: Table | undefined
  for (const connectionCount of CONNECTION_COUNTS) {
    const cases = createCases(ways, connectionCount, { scale, show })
    const results = await runRounds(cases, scale.roundCount, (text) =>
      show(`${connectionCount} connections, ${text}`),
    )
    added ??= tabulateAdded(results)
    for (const [name, samples] of results) rows.push(row(connectionCount, name, samples))
  }
  return {
    title: 'Gateway: overhead and throughput',
    text: describe(ways.withWrk, scale.roundCount),
    tables: [
      ...(added === undefined ? [] : [added]),
      { columns: ['Connections', 'Way', 'Requests/s', 'range', 'p50', 'p99'], rows },
    ],
  }
}

function createCases(ways: Ways, connectionCount: number, { scale }: BenchOptions) {
  const { berth, direct } = ways
  const stopAfter = {
    kind: 'duration',
    warmMs: scale.warmMs,
    measuredMs: scale.measuredMs,
  } as const
  const measure = async (address: Address, requests: readonly Buffer[]): Promise<Sample> => {
    using file = openRequestFile(requests)
    return await runLoad({ address, requestsPath: file.path, connectionCount, stopAfter })
  }
  const url = berth.running.url
  const cases: Case<Sample>[] = [
    { name: DIRECT, measure: () => measure(direct, directRequests(direct)) },
    // Signed anew for every round: a signature is good for minutes only.
    { name: BERTH, measure: async () => measure(addressOfUrl(url), await berthRequests(berth)) },
  ]
  if (!ways.withWrk) return cases
  const seconds = Math.ceil(scale.measuredMs / 1000)
  const measureWithWrk = async (): Promise<Sample> => {
    using file = openRequestFile(await berthRequests(berth))
    return await runWrk({ url, requestsPath: file.path, connectionCount, seconds })
  }
  return [...cases, { name: WRK, measure: measureWithWrk }]
}

/** Asks both ways for the same prediction: a fast wrong answer must not become a number. */
async function assertSameAnswers(ways: Ways): Promise<void> {
  const ask = async (address: Address, requests: readonly Buffer[]) => {
    using file = openRequestFile(requests.slice(0, 1))
    const once = { kind: 'all-once' } as const
    const spec = { address, requestsPath: file.path, connectionCount: 1, stopAfter: once }
    return (await runLoad(spec)).firstBody
  }
  const direct = await ask(ways.direct, directRequests(ways.direct))
  const berth = await ask(addressOfUrl(ways.berth.running.url), await berthRequests(ways.berth))
  if (direct !== berth || !direct?.includes('predictions')) {
    throw new Error(`The container says ${direct}, Berth says ${berth}.`)
  }
}

function directRequests(address: Address): Buffer[] {
  return encodeRequests(address, plainInvocations('/invocations'))
}

function berthRequests(berth: BenchBerth): Promise<Buffer[]> {
  return signInvocations(berth, NAME)
}

/** The difference round by round: neighbours in time are compared, then the middle one is told. */
function tabulateAdded(results: ReadonlyMap<string, readonly Sample[]>): Table {
  const direct = results.get(DIRECT) ?? []
  const berth = results.get(BERTH) ?? []
  const differences = (pick: (sample: Sample) => number) =>
    berth.map((sample, round) => pick(sample) - pick(direct[round] ?? sample))
  const p50 = differences(({ p50Us }) => p50Us)
  const p99 = differences(({ p99Us }) => p99Us)
  const line = (name: string, values: readonly number[]) => {
    const [least, most] = range(values)
    return [name, formatMs(median(values)), `${formatMs(least)} – ${formatMs(most)}`]
  }
  return {
    columns: ['Added at 1 connection', 'median', 'range'],
    rows: [line('p50', p50), line('p99', p99)],
  }
}

function row(connectionCount: number, name: string, samples: readonly Sample[]) {
  const perSecond = samples.map((sample) => sample.perSecond)
  const [least, most] = range(perSecond)
  return [
    String(connectionCount),
    name,
    formatCount(median(perSecond)),
    `${formatCount(least)} – ${formatCount(most)}`,
    formatMs(median(samples.map(({ p50Us }) => p50Us))),
    formatMs(median(samples.map(({ p99Us }) => p99Us))),
  ]
}

function describe(withWrk: boolean, roundCount: number): string {
  const wrk = withWrk
    ? '*berth, by wrk* is a cross-check of our load generator; wrk speaks TCP only and cannot ask the container.'
    : 'wrk was not installed: no cross-check of our load generator.'
  return [
    `MLP 64→256→10, JSON, one row an invocation, one instance, ${ROW_COUNT} different requests in turn. *direct* is HTTP`,
    "to the instance's own Unix socket, unsigned; *berth* is HTTP over TCP through the gateway with SigV4 verified. The load",
    `generator shares the machine. Medians of ${roundCount} interleaved rounds. ${wrk}`,
  ].join('\n')
}
