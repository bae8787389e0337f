import { addressOfUrl } from './harness/address.ts'
import { BenchBerth, makeDataDir } from './harness/berth.ts'
import { signInvocations } from './harness/invocations.ts'
import {
  askTarget,
  createManyEndpoint,
  readInstances,
  signTargets,
  uploadTargets,
  writeSmallModel,
  SMALL_MODEL,
} from './harness/many-models.ts'
import { runOpenLoop } from './harness/open-loop.ts'
import { formatMib, formatMs, type Section } from './harness/report.ts'
import { runRounds } from './harness/rounds.ts'
import { ROW_COUNT } from './harness/rows.ts'
import type { BenchOptions } from './harness/scale.ts'
import { median, percentile } from './harness/stats.ts'

const MODEL_COUNT = 10
const PER_SECOND = 300
const HTTP_OK = 200
const NUMBERS = Array.from({ length: MODEL_COUNT }, (_, number) => number)

/** The same ten models on one multi-model endpoint and on ten endpoints, each alone on the machine. */
interface Setup {
  readonly name: string
  /** Deploys all, and has each answer once. */
  readonly deploy: (berth: BenchBerth, modelPath: string) => Promise<void>
  /** Calls to all ten in turn. */
  readonly sign: (berth: BenchBerth) => Promise<Buffer[]>
}

const SETUPS: readonly Setup[] = [
  {
    name: 'ten endpoints',
    deploy: async (berth, modelPath) => {
      for (const number of NUMBERS) {
        await berth.registerModel(`one-${number}`, modelPath)
        await berth.createEndpoint(`one-${number}`)
      }
    },
    sign: async (berth) => {
      const lists = await Promise.all(NUMBERS.map((n) => signInvocations(berth, `one-${n}`)))
      return Array.from(
        { length: ROW_COUNT },
        (_, at) => lists[at % MODEL_COUNT]?.[at] ?? Buffer.of(),
      )
    },
  },
  {
    name: 'one multi-model endpoint',
    deploy: async (berth, modelPath) => {
      await uploadTargets(berth, modelPath, MODEL_COUNT)
      await createManyEndpoint(berth, 'many')
      for (const number of NUMBERS) await askTarget(berth, 'many', number)
    },
    sign: (berth) => {
      const numbers = Array.from({ length: ROW_COUNT }, (_, at) => at % MODEL_COUNT)
      return signTargets(berth, 'many', numbers)
    },
  },
]

/** What ten models take as one multi-model endpoint and as ten endpoints: instances, memory, latency at the same load. */
export async function measureTenModels({ scale, show }: BenchOptions): Promise<Section> {
  await using stack = new AsyncDisposableStack()
  const served = new Map<string, Awaited<ReturnType<typeof serve>>>()
  for (const setup of SETUPS) {
    show(`deploying ${setup.name}`)
    served.set(setup.name, await serve(setup, stack))
  }
  const cases = SETUPS.map(({ name, sign }) => ({
    name,
    measure: () => runTraffic(served.get(name)?.berth, sign, scale.measuredMs),
  }))
  const results = await runRounds(cases, scale.roundCount, show)
  const rows = SETUPS.map(({ name }) => {
    const { count, proportionalBytes, deployMs } = served.get(name) ?? NOTHING
    const rounds = results.get(name) ?? []
    const ms = (share: number): string =>
      formatMs(median(rounds.map((samples) => percentile(samples, share))) * 1000)
    const deploySeconds = (deployMs / 1000).toFixed(1)
    return [
      name,
      String(count),
      formatMib(proportionalBytes),
      `${deploySeconds} s`,
      ms(0.5),
      ms(0.99),
    ]
  })
  return {
    title: 'Ten models: one endpoint or ten',
    text:
      `${SMALL_MODEL} under ten names, one \`berth/onnx\` instance (ml.m5.large) an endpoint, no warm pool; two Berths side by side, ` +
      `asked in turn. Instances and their memory (PSS) after each model has answered; ${PER_SECOND} calls a second, Poisson, to all ten in ` +
      `turn, JSON, SigV4 on, callers on the same cores; medians of ${scale.roundCount} interleaved rounds.`,
    tables: [
      { columns: ['Ten models on', 'instances', 'memory', 'deployed in', 'p50', 'p99'], rows },
    ],
  }
}

const NOTHING = { count: 0, proportionalBytes: Number.NaN, deployMs: Number.NaN }

async function serve({ deploy }: Setup, stack: AsyncDisposableStack) {
  const dataDir = stack.use(await makeDataDir())
  const berth = stack.use(await BenchBerth.start(dataDir.path))
  const modelPath = writeSmallModel(dataDir.path)
  const startedAtMs = performance.now()
  await deploy(berth, modelPath)
  const deployMs = performance.now() - startedAtMs
  return { berth, deployMs, ...(await readInstances(berth)) }
}

async function runTraffic(
  berth: BenchBerth | undefined,
  sign: Setup['sign'],
  durationMs: number,
): Promise<readonly number[]> {
  if (berth === undefined) throw new Error('Nothing was deployed.')
  const calls = await runOpenLoop({
    address: addressOfUrl(berth.running.url),
    requests: await sign(berth),
    perSecond: () => PER_SECOND,
    durationMs,
  })
  const failed = calls.filter(({ status }) => status !== HTTP_OK)
  if (failed.length > 0) throw new Error(`${failed.length} calls failed: ${failed[0]?.status}.`)
  return calls.map(({ tookMs }) => tookMs)
}
