import { type ContainerDefinition } from '@aws-sdk/client-sagemaker'
import { join } from 'node:path'
import { addressOfUrl } from './harness/address.ts'
import { BenchBerth, makeDataDir, packageRoot } from './harness/berth.ts'
import { plainInvocations } from './harness/invocations.ts'
import { type LoadResult, openRequestFile, runLoad } from './harness/load.ts'
import { formatMs, type Section } from './harness/report.ts'
import { signRequests } from './harness/requests.ts'
import { runRounds } from './harness/rounds.ts'
import type { BenchOptions } from './harness/scale.ts'
import { median, range } from './harness/stats.ts'

const NAME = 'vote'
const MODEL = join(packageRoot, 'bench', 'models', 'mlp-64-256-10.onnx')
const MODELS = ['a', 'b', 'c'] as const
const WAITERS = ['x', 'y', 'z'] as const
/** A model that answers after so long without the machine's cores: one on a GPU, or on another machine. */
const WAIT_MS = 20
const WAITER_ATTRIBUTES = { 'x-amzn-sagemaker-custom-attributes': `delay-ms=${WAIT_MS}` }
// Seven ways in less than three minutes.
const ROUNDS_MAX = 3
const MUST_ADD_MS = 0.3
const MUST_KEEP = 0.8

/** What is asked: a container by its name, by so many callers. */
interface Way {
  readonly name: string
  readonly container: string
  readonly connectionCount: number
  readonly headers: Readonly<Record<string, string>>
  /** The branch alone. */
  readonly over?: Way
}

const single = { connectionCount: 1, headers: {} }
const waiting = { connectionCount: 16, headers: WAITER_ATTRIBUTES }
const ALONE: Way = { name: 'one model', container: 'a', ...single }
const ECHO: Way = { name: 'one container that echoes', container: 'x', ...single }
const WAYS: readonly Way[] = [
  ALONE,
  { name: 'a graph that asks it', container: 'one', over: ALONE, ...single },
  { name: 'a vote of three such models', container: 'models', over: ALONE, ...single },
  ECHO,
  { name: 'a vote of three that echo', container: 'waiters', over: ECHO, ...single },
]
const SLOWEST: Way = { name: `one branch of ${WAIT_MS} ms`, container: 'x', ...waiting }
const THREE: Way = { name: 'a vote of three such branches', container: 'waiters', ...waiting }

/** What a graph of containers of one instance costs over the slowest of them. */
export async function measureGraph({ scale, show }: BenchOptions): Promise<Section> {
  await using dataDir = await makeDataDir()
  await using berth = await BenchBerth.start(dataDir.path)
  await createContainers(berth)
  await berth.createEndpoint(NAME)
  const measure = async (way: Way): Promise<LoadResult> => {
    using file = openRequestFile(await signFor(berth, way))
    const address = addressOfUrl(berth.running.url)
    const { connectionCount } = way
    const stopAfter = { kind: 'duration', ...scale } as const
    return await runLoad({ address, requestsPath: file.path, connectionCount, stopAfter })
  }
  const roundCount = Math.min(ROUNDS_MAX, scale.roundCount)
  const cases = [...WAYS, SLOWEST, THREE].map((way) => ({
    name: way.name,
    measure: () => measure(way),
  }))
  const results = await runRounds(cases, roundCount, show)
  const of = (way: Way): readonly LoadResult[] => results.get(way.name) ?? []
  const shares = of(THREE).map(
    ({ perSecond }, round) => perSecond / (of(SLOWEST)[round]?.perSecond ?? Number.NaN),
  )
  return {
    title: 'Graph: three branches at once',
    text:
      `All containers on one instance, JSON, SigV4 on, callers on the same cores; medians of ${roundCount} interleaved rounds. ` +
      `Models: MLP 64→256→10. Targets: three local branches add at most ${MUST_ADD_MS} ms p50 to the slowest; ` +
      `a vote of three has at least ${MUST_KEEP} of the throughput of the slowest alone when cores allow, so with branches that only wait.`,
    tables: [
      {
        columns: ['One caller asks', 'p50', 'p99', 'over one branch, p50', 'range'],
        rows: WAYS.map((way) => [
          way.name,
          formatMs(median(of(way).map(({ p50Us }) => p50Us))),
          formatMs(median(of(way).map(({ p99Us }) => p99Us))),
          ...addedCells(of(way), of(way.over ?? way)),
        ]),
      },
      {
        columns: [`${waiting.connectionCount} callers ask`, 'req/s', 'p50', 'share', 'range'],
        rows: [SLOWEST, THREE].map((way) => [
          way.name,
          String(Math.round(median(of(way).map(({ perSecond }) => perSecond)))),
          formatMs(median(of(way).map(({ p50Us }) => p50Us))),
          ...(way === THREE ? shareCells(shares) : ['', '']),
        ]),
      },
    ],
  }
}

function addedCells(through: readonly LoadResult[], alone: readonly LoadResult[]): string[] {
  if (through === alone) return ['', '']
  const added = through.map(({ p50Us }, round) => p50Us - (alone[round]?.p50Us ?? Number.NaN))
  const [least, most] = range(added)
  return [formatMs(median(added)), `${formatMs(least)} – ${formatMs(most)}`]
}

function shareCells(shares: readonly number[]): string[] {
  const [least, most] = range(shares)
  return [median(shares).toFixed(2), `${least.toFixed(2)} – ${most.toFixed(2)}`]
}

async function createContainers(berth: BenchBerth): Promise<void> {
  const ModelDataUrl = await berth.uploadModel(MODEL)
  const containers = [
    ...MODELS.map((name) => ({ ContainerHostname: name, Image: 'berth/onnx', ModelDataUrl })),
    ...WAITERS.map((name) => ({ ContainerHostname: name, Image: 'berth/echo' })),
    graphOf('one', { container: 'a' }),
    graphOf('models', scatterOf(MODELS, undefined)),
    graphOf('waiters', scatterOf(WAITERS, '"orange"')),
  ]
  await berth.registerContainers(NAME, {
    Containers: containers,
    InferenceExecutionConfig: { Mode: 'Direct' },
  })
}

function graphOf(name: string, graph: object): ContainerDefinition {
  const BERTH_GRAPH = JSON.stringify({ version: 1, graph })
  return { ContainerHostname: name, Image: 'berth/graph', Environment: { BERTH_GRAPH } }
}

function scatterOf(names: readonly string[], result: string | undefined): object {
  const branches = names.map((container) => [container, { container, result }])
  return { scatter: { branches: Object.fromEntries(branches), aggregate: 'majority-vote' } }
}

function signFor(
  { environment, running }: BenchBerth,
  { container, headers }: Way,
): Promise<Buffer[]> {
  const target = { 'x-amzn-sagemaker-target-container-hostname': container }
  const requests = plainInvocations(`/endpoints/${NAME}/invocations`).map((request) => ({
    ...request,
    headers: { ...request.headers, ...headers, ...target },
  }))
  return signRequests(addressOfUrl(running.url), requests, {
    accessKeyId: environment.AWS_ACCESS_KEY_ID,
    secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
    region: environment.AWS_REGION,
    service: 'sagemaker',
  })
}
