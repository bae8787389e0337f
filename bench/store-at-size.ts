import { join } from 'node:path'
import {
  paginateListEndpointConfigs,
  paginateListEndpoints,
  paginateListModels,
} from '@aws-sdk/client-sagemaker'
import { createSqliteStore } from '../src/adapters/sqlite/store.ts'
import { encodeArn } from '../src/domain/arn.ts'
import type { Endpoint } from '../src/domain/endpoint.ts'
import { dataPathsOf } from '../src/platform/data-paths.ts'
import { addressOfUrl } from './harness/address.ts'
import { BenchBerth, makeDataDir, packageRoot } from './harness/berth.ts'
import { type LoadResult, openRequestFile, runLoad, type StopAfter } from './harness/load.ts'
import { readMemory } from './harness/memory.ts'
import { formatCount, formatMib, formatMs, type Section, type Table } from './harness/report.ts'
import { type PlainRequest, signRequests } from './harness/requests.ts'
import type { BenchOptions, Scale } from './harness/scale.ts'

const ACCOUNT_ID = '000000000000'
const MODEL = join(packageRoot, 'bench', 'models', 'mlp-64-256-10.onnx')
const PAGE_SIZE = 100
const WRITE_CONNECTIONS = 16
/** Signed at most this many ahead, so that none is too old when it is sent. */
const WRITE_BATCH = 2_000
const READ_REQUESTS = 1_000
/** Coprime to any count used here: visits the names in an order that no cache foresees. */
const STRIDE = 7_919

/** An API call as the SDKs send it: the operation in the target header, JSON in the body. */
type Call = readonly [operation: string, input: Readonly<Record<string, unknown>>]

/** List and describe with thousands of models, configs and endpoints registered, and what they take in memory. */
export async function measureStoreAtSize({ scale, show }: BenchOptions): Promise<Section> {
  const count = scale.registeredCount
  await using dataDir = await makeDataDir()
  const written = await registerThroughApi(dataDir.path, count, show)
  show(`${count} endpoints into the store`)
  await registerEndpoints(dataDir.path, count, written.region)

  await using berth = await BenchBerth.start(dataDir.path)
  const rows = []
  for (const [name, calls] of await planReads(berth, count, show)) {
    show(name)
    rows.push(latencyRow(name, await send(berth, calls, readSpec(scale))))
  }
  return {
    title: 'Store and API at size',
    text: describe(count),
    tables: [
      {
        columns: ['Operation', 'Requests/s', 'p50', 'p99', 'slowest'],
        rows: [...written.rows, ...rows],
      },
      await tabulateRoom(berth, written.emptyBytes, count),
    ],
  }
}

/** Models and configs the way a user makes them: every one is on the disk when its call returns. */
async function registerThroughApi(dataDir: string, count: number, show: BenchOptions['show']) {
  await using berth = await BenchBerth.start(dataDir)
  const emptyBytes = await readControlBytes(berth)
  // CreateModel looks whether the model data is there.
  const modelDataUrl = await berth.uploadModel(MODEL)
  const rows = []
  for (const [operation, input] of [
    ['CreateModel', (k: number) => modelInput(k, modelDataUrl)],
    ['CreateEndpointConfig', configInput],
  ] as const) {
    const results: LoadResult[] = []
    for (let first = 0; first < count; first += WRITE_BATCH) {
      show(`${operation} ${first} of ${count}`)
      const length = Math.min(WRITE_BATCH, count - first)
      const calls = Array.from({ length }, (_, k): Call => [operation, input(first + k)])
      const spec = { connectionCount: WRITE_CONNECTIONS, stopAfter: { kind: 'all-once' } } as const
      results.push(await send(berth, calls, spec))
    }
    // The last batch is the one that meets a full store.
    const last = results.at(-1)
    if (last !== undefined)
      rows.push(latencyRow(`${operation}, ${WRITE_CONNECTIONS} connections`, last))
  }
  return { rows, emptyBytes, region: berth.environment.AWS_REGION }
}

/**
 * Endpoints straight into the store, while no Berth runs: each one made through the API would start an instance.
 *
 * They are `Failed`, the only status at rest without instances; list and describe treat it like any other.
 */
async function registerEndpoints(dataDir: string, count: number, region: string): Promise<void> {
  const store = createSqliteStore({ path: dataPathsOf(dataDir).database })
  try {
    for (let k = 0; k < count; k++) await store.insertEndpoint(failedEndpoint(k, region), {})
  } finally {
    await store.close()
  }
}

function failedEndpoint(k: number, region: string): Endpoint {
  const name = nameOf('endpoint', k)
  const createdAtMs = Date.now()
  return {
    name,
    arn: encodeArn({ accountId: ACCOUNT_ID, region }, 'endpoint', name),
    endpointId: k.toString(16).padStart(12, '0'),
    createdAtMs,
    modifiedAtMs: createdAtMs,
    status: 'Failed',
    failureReason: 'Registered by a bench; it never ran.',
    configName: nameOf('config', k),
    serving: undefined,
    deployment: undefined,
    lastGeneration: 1,
    lastDeploymentConfig: undefined,
    revision: 0,
  }
}

function modelInput(k: number, modelDataUrl: string) {
  return {
    ModelName: nameOf('model', k),
    ExecutionRoleArn: `arn:aws:iam::${ACCOUNT_ID}:role/berth`,
    PrimaryContainer: { Image: 'berth/onnx', ModelDataUrl: modelDataUrl },
  }
}

function configInput(k: number) {
  const variant = { VariantName: 'a', ModelName: nameOf('model', k), InitialInstanceCount: 1 }
  return {
    EndpointConfigName: nameOf('config', k),
    ProductionVariants: [{ ...variant, InstanceType: 'ml.m5.large' }],
  }
}

/** What is read: every kind by name, and its list from the first page to the last. */
async function planReads(
  berth: BenchBerth,
  count: number,
  show: BenchOptions['show'],
): Promise<readonly (readonly [name: string, calls: readonly Call[]])[]> {
  const names = (kind: string) =>
    Array.from({ length: Math.min(count, READ_REQUESTS) }, (_, k) =>
      nameOf(kind, (k * STRIDE) % count),
    )
  show('every page of every list')
  const pages = (tokens: readonly (string | undefined)[]) =>
    tokens.map((NextToken) => ({ MaxResults: PAGE_SIZE, ...(NextToken && { NextToken }) }))
  const config = { client: berth.sagemaker, pageSize: PAGE_SIZE }
  const models = await collectTokens(paginateListModels(config, {}))
  const configs = await collectTokens(paginateListEndpointConfigs(config, {}))
  const endpoints = await collectTokens(paginateListEndpoints(config, {}))
  const part = nameOf('model', count - 1).slice(-4)
  return [
    ['DescribeModel', names('model').map((ModelName) => ['DescribeModel', { ModelName }])],
    [
      'DescribeEndpointConfig',
      names('config').map((name) => ['DescribeEndpointConfig', { EndpointConfigName: name }]),
    ],
    [
      'DescribeEndpoint',
      names('endpoint').map((name) => ['DescribeEndpoint', { EndpointName: name }]),
    ],
    ['ListModels, all pages of 100', pages(models).map((input) => ['ListModels', input])],
    [
      'ListEndpointConfigs, all pages of 100',
      pages(configs).map((input) => ['ListEndpointConfigs', input]),
    ],
    ['ListEndpoints, all pages of 100', pages(endpoints).map((input) => ['ListEndpoints', input])],
    ['ListModels, NameContains (few match)', [['ListModels', { NameContains: part }]]],
    [
      'ListEndpoints, StatusEquals (none match)',
      [['ListEndpoints', { StatusEquals: 'InService' }]],
    ],
  ]
}

/** The tokens that lead to each page; undefined leads to the first. */
async function collectTokens(
  pages: AsyncIterable<{ readonly NextToken?: string | undefined }>,
): Promise<readonly (string | undefined)[]> {
  const tokens: (string | undefined)[] = [undefined]
  for await (const { NextToken } of pages) if (NextToken !== undefined) tokens.push(NextToken)
  return tokens
}

function readSpec({ warmMs, measuredMs }: Scale) {
  return { connectionCount: 1, stopAfter: { kind: 'duration', warmMs, measuredMs } } as const
}

async function send(
  berth: BenchBerth,
  calls: readonly Call[],
  spec: { readonly connectionCount: number; readonly stopAfter: StopAfter },
): Promise<LoadResult> {
  const address = addressOfUrl(berth.running.url)
  const { environment } = berth
  const requests = await signRequests(address, calls.map(encodeCall), {
    accessKeyId: environment.AWS_ACCESS_KEY_ID,
    secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
    region: environment.AWS_REGION,
    service: 'sagemaker',
  })
  using file = openRequestFile(requests)
  return await runLoad({ address, requestsPath: file.path, ...spec })
}

function encodeCall([operation, input]: Call): PlainRequest {
  return {
    method: 'POST',
    path: '/',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `SageMaker.${operation}`,
    },
    body: JSON.stringify(input),
  }
}

async function readControlBytes(berth: BenchBerth): Promise<number> {
  const { control } = await berth.describePlatform()
  return readMemory([control.pid]).residentBytes
}

async function tabulateRoom(berth: BenchBerth, emptyBytes: number, count: number): Promise<Table> {
  return {
    columns: ['What', ''],
    rows: [
      ['control process, RSS, nothing registered', formatMib(emptyBytes)],
      ['control process, RSS, after the reads above', formatMib(await readControlBytes(berth))],
      [
        `\`berth up\` spawned → \`ready\` with ${formatCount(count)} of each`,
        `${(berth.running.readyMs / 1000).toFixed(2)} s`,
      ],
    ],
  }
}

function latencyRow(name: string, result: LoadResult): readonly string[] {
  const { perSecond, p50Us, p99Us, maxUs } = result
  return [name, formatCount(perSecond), formatMs(p50Us), formatMs(p99Us), formatMs(maxUs)]
}

function nameOf(kind: string, k: number): string {
  return `${kind}-${String(k).padStart(6, '0')}`
}

function describe(count: number): string {
  return [
    `${formatCount(count)} models, ${formatCount(count)} endpoint configs (made through the API; shown is the last batch) and`,
    `${formatCount(count)} endpoints (written to the store as \`Failed\`, because each one made through the API would start an`,
    'instance). Through the gateway with SigV4; reads over one connection.',
  ].join('\n')
}
