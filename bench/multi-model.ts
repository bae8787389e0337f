import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateEndpointConfigCommand, CreateModelCommand } from '@aws-sdk/client-sagemaker'
import { join } from 'node:path'
import { packModel } from '../examples/digits/steps/archive.ts'
import { addressOfUrl } from './harness/address.ts'
import { ask } from './harness/ask.ts'
import { BenchBerth, makeDataDir, packageRoot } from './harness/berth.ts'
import { plainInvocations, signInvocations } from './harness/invocations.ts'
import { openRequestFile, runLoad } from './harness/load.ts'
import { readMemory } from './harness/memory.ts'
import { formatMib, formatMs, type Section, type Table } from './harness/report.ts'
import { signRequests } from './harness/requests.ts'
import { runRounds } from './harness/rounds.ts'
import type { BenchOptions } from './harness/scale.ts'
import { median, percentile } from './harness/stats.ts'

const MODEL = join(packageRoot, 'bench', 'models', 'mlp-64-256-10.onnx')
const BUCKET = 'bench-models'
const PREFIX = `s3://${BUCKET}/many/`
const LIVE_COUNT = 1_000
const EVICTED_COUNT = 20
const EVICTED_ROUNDS = 10
const ASK_MAX_MS = 30_000
const HTTP_OK = 200
// Less than the program itself takes: every load evicts.
const LEAST_MEMORY_BYTES = String(8 * 1024 ** 2)

/** What a target model costs over a plain endpoint, what loading one takes, and what a thousand take of memory. */
export async function measureMultiModel({ scale, show }: BenchOptions): Promise<Section> {
  await using dataDir = await makeDataDir()
  await using berth = await BenchBerth.start(dataDir.path)
  const liveCount = Math.min(LIVE_COUNT, scale.registeredCount)
  show(`uploading ${liveCount} models`)
  await uploadMany(berth, liveCount)
  await createMany(berth, 'many', {})
  const cold = await measureCold(berth, liveCount, show)
  // The process of the only instance; the gateway and control are the platform's, whatever is served.
  const { instances } = await berth.describePlatform()
  const { proportionalBytes = Number.NaN } = readMemory(instances.map(({ pid }) => pid))
  await berth.registerModel('one', MODEL)
  await berth.createEndpoint('one')
  const hits = await measureHits(berth, { scale, show })
  await createMany(berth, 'tight', { BERTH_MODEL_MEMORY_BYTES: LEAST_MEMORY_BYTES })
  show('cold loads from the disk')
  const evicted = await measureEvicted(berth)
  const ms = (samples: readonly number[], share: number): string =>
    formatMs(percentile(samples, share) * 1000)
  const coldRow = (name: string, samples: readonly number[]): string[] => [
    name,
    String(samples.length),
    ms(samples, 0.5),
    ms(samples, 0.99),
  ]
  return {
    title: 'Many models behind one endpoint',
    text:
      `MLP 64→256→10 under ${liveCount} names on one instance, JSON, SigV4 on, callers on the same cores. Hits: one connection, ` +
      `medians of ${scale.roundCount} interleaved rounds. Cold: one call at a time, from its first byte to its answer.`,
    tables: [
      hits,
      {
        columns: ['First answer of a cold model', 'calls', 'p50', 'p99'],
        rows: [
          coldRow('from the object store', cold),
          coldRow('from the disk, after an eviction', evicted),
        ],
      },
      {
        columns: ['Models loaded', 'PSS of the instance'],
        rows: [[String(liveCount), formatMib(proportionalBytes)]],
      },
    ],
  }
}

const targetOf = (number: number): string => `m${number}.tar.gz`

async function uploadMany({ environment }: BenchBerth, count: number): Promise<void> {
  const s3 = new S3Client({
    endpoint: environment.AWS_ENDPOINT_URL,
    region: environment.AWS_REGION,
    credentials: {
      accessKeyId: environment.AWS_ACCESS_KEY_ID,
      secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
    },
    forcePathStyle: true,
  })
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }))
  const { bytes } = await packModel(MODEL)
  for (let number = 0; number < count; number += 1) {
    const Key = `many/${targetOf(number)}`
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: bytes }))
  }
  s3.destroy()
}

async function createMany(
  berth: BenchBerth,
  name: string,
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  await berth.sagemaker.send(
    new CreateModelCommand({
      ModelName: name,
      ExecutionRoleArn: 'arn:aws:iam::000000000000:role/berth',
      PrimaryContainer: {
        Image: 'berth/onnx',
        Mode: 'MultiModel',
        ModelDataUrl: PREFIX,
        Environment: { ...environment },
      },
    }),
  )
  await berth.sagemaker.send(
    new CreateEndpointConfigCommand({
      EndpointConfigName: name,
      ProductionVariants: [
        {
          VariantName: 'AllTraffic',
          ModelName: name,
          InstanceType: 'ml.m5.large',
          InitialInstanceCount: 1,
        },
      ],
    }),
  )
  await berth.createEndpoint(name)
}

async function measureCold(
  berth: BenchBerth,
  count: number,
  show: BenchOptions['show'],
): Promise<readonly number[]> {
  const samples: number[] = []
  for (let number = 0; number < count; number += 1) {
    if (number % 250 === 0) show(`cold model ${number} of ${count}`)
    samples.push(await askOnce(berth, 'many', number))
  }
  return samples
}

/** Models that take each other's place: the archives have been fetched in the first round, which is not counted. */
async function measureEvicted(berth: BenchBerth): Promise<readonly number[]> {
  const samples: number[] = []
  for (let round = 0; round <= EVICTED_ROUNDS; round += 1) {
    for (let number = 0; number < EVICTED_COUNT; number += 1) {
      const ms = await askOnce(berth, 'tight', number)
      if (round > 0) samples.push(ms)
    }
  }
  return samples
}

async function askOnce(berth: BenchBerth, endpointName: string, number: number): Promise<number> {
  const [request = Buffer.alloc(0)] = await signFor(berth, endpointName, number, 1)
  const startedAtMs = performance.now()
  const { status } = await ask(addressOfUrl(berth.running.url), request, ASK_MAX_MS)
  if (status !== HTTP_OK) throw new Error(`${targetOf(number)} was answered with ${status}.`)
  return performance.now() - startedAtMs
}

function signFor(
  { environment, running }: BenchBerth,
  endpointName: string,
  number: number,
  count = Infinity,
): Promise<Buffer[]> {
  const target = { 'x-amzn-sagemaker-target-model': targetOf(number) }
  const requests = plainInvocations(`/endpoints/${endpointName}/invocations`)
    .slice(0, count)
    .map((request) => ({ ...request, headers: { ...request.headers, ...target } }))
  return signRequests(addressOfUrl(running.url), requests, {
    accessKeyId: environment.AWS_ACCESS_KEY_ID,
    secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
    region: environment.AWS_REGION,
    service: 'sagemaker',
  })
}

async function measureHits(berth: BenchBerth, { scale, show }: BenchOptions): Promise<Table> {
  const requestsOf = {
    'endpoint of one model': () => signInvocations(berth, 'one'),
    'target model that is loaded': () => signFor(berth, 'many', 0),
  }
  const cases = Object.entries(requestsOf).map(([name, sign]) => ({
    name,
    measure: async () => {
      using file = openRequestFile(await sign())
      return await runLoad({
        address: addressOfUrl(berth.running.url),
        requestsPath: file.path,
        connectionCount: 1,
        stopAfter: { kind: 'duration', ...scale },
      })
    },
  }))
  const results = await runRounds(cases, scale.roundCount, show)
  const rows = [...results].map(([name, samples]) => [
    name,
    formatMs(median(samples.map(({ p50Us }) => p50Us))),
    formatMs(median(samples.map(({ p99Us }) => p99Us))),
  ])
  return { columns: ['Hit', 'p50', 'p99'], rows }
}
