import { join } from 'node:path'
import { addressOfUrl } from './harness/address.ts'
import { BenchBerth, makeDataDir, packageRoot } from './harness/berth.ts'
import { setEnvironment } from './harness/environment.ts'
import { signInvocations } from './harness/invocations.ts'
import { type LoadResult, openRequestFile, runLoad } from './harness/load.ts'
import { formatCount, formatMs, type Section } from './harness/report.ts'
import { runRounds } from './harness/rounds.ts'
import type { BenchOptions } from './harness/scale.ts'
import { median, range } from './harness/stats.ts'
import { hasWrk, runWrk } from './harness/wrk.ts'

const NAME = 'mlp'
const MODEL = join(packageRoot, 'bench', 'models', 'mlp-64-256-10.onnx')
const CONNECTION_COUNTS = [1, 16, 64] as const

/** What one part of the fast path brings: Berth without it beside Berth with it. */
const MODES = [
  { name: 'default', environment: {} },
  { name: 'without the strict head reader', environment: { BERTH_FRONT: 'node' } },
  { name: 'without frames', environment: { BERTH_TRANSPORT: 'http' } },
  { name: 'without polling', environment: { BERTH_POLLING: 'off' } },
  { name: 'without batching', environment: { BERTH_BATCHING: 'off' } },
  {
    name: 'without any of them',
    environment: {
      BERTH_FRONT: 'node',
      BERTH_TRANSPORT: 'http',
      BERTH_POLLING: 'off',
      BERTH_BATCHING: 'off',
    },
  },
] as const

type Sample = Pick<LoadResult, 'perSecond' | 'p50Us' | 'p99Us'>

/** The same load on gateways that differ in one switch. All run side by side; one is measured at a time. */
export async function measureGatewayModes({ scale, show }: BenchOptions): Promise<Section> {
  await using started = new AsyncDisposableStack()
  const berths: { readonly name: string; readonly berth: BenchBerth }[] = []
  for (const { name, environment } of MODES) {
    const dataDir = started.use(await makeDataDir())
    using _ = setEnvironment(environment)
    const berth = started.use(await BenchBerth.start(dataDir.path))
    await berth.registerModel(NAME, MODEL)
    await berth.createEndpoint(NAME)
    berths.push({ name, berth })
  }
  const withWrk = await hasWrk()
  const rows: (readonly string[])[] = []
  for (const connectionCount of CONNECTION_COUNTS) {
    const cases = berths.map(({ name, berth }) => ({
      name,
      measure: () => measure(berth, { connectionCount, withWrk, scale }),
    }))
    const results = await runRounds(cases, scale.roundCount, (text) =>
      show(`${connectionCount} connections, ${text}`),
    )
    for (const [name, samples] of results) rows.push(row(connectionCount, name, samples))
  }
  return {
    title: 'Gateway: parts of the fast path switched off',
    text: `MLP 64→256→10, JSON, SigV4 on. Load by ${withWrk ? 'wrk' : 'our generator'} on the same cores; medians of ${scale.roundCount} interleaved rounds.`,
    tables: [{ columns: ['Connections', 'Gateway', 'Requests/s', 'range', 'p50', 'p99'], rows }],
  }
}

async function measure(
  berth: BenchBerth,
  load: Pick<BenchOptions, 'scale'> & { connectionCount: number; withWrk: boolean },
): Promise<Sample> {
  const { connectionCount, withWrk, scale } = load
  using file = openRequestFile(await signInvocations(berth, NAME))
  const { url } = berth.running
  if (withWrk) {
    const spec = { url, requestsPath: file.path, connectionCount }
    await runWrk({ ...spec, seconds: Math.ceil(scale.warmMs / 1000) })
    return await runWrk({ ...spec, seconds: Math.ceil(scale.measuredMs / 1000) })
  }
  const stopAfter = { kind: 'duration', ...scale } as const
  const address = addressOfUrl(url)
  return await runLoad({ address, requestsPath: file.path, connectionCount, stopAfter })
}

function row(connectionCount: number, name: string, samples: readonly Sample[]): string[] {
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
