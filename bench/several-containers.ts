import { type ContainerDefinition, type InferenceExecutionMode } from '@aws-sdk/client-sagemaker'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { addressOfUrl } from './harness/address.ts'
import { BenchBerth, makeDataDir, packageRoot } from './harness/berth.ts'
import { plainInvocations } from './harness/invocations.ts'
import { openRequestFile, runLoad } from './harness/load.ts'
import { readMemory } from './harness/memory.ts'
import { formatCount, formatMib, formatMs, type Section, type Table } from './harness/report.ts'
import { signRequests } from './harness/requests.ts'
import { runRounds } from './harness/rounds.ts'
import type { BenchOptions } from './harness/scale.ts'
import { median } from './harness/stats.ts'

const FOLDER = join(packageRoot, 'bench', 'models', 'steps')
const MODEL = join(packageRoot, 'bench', 'models', 'mlp-64-256-10.onnx')
const STEPS = ['prepare', 'score', 'name'] as const
const CONNECTION_COUNTS = [16, 64]
const TEN = 10
const NAMES = Array.from({ length: TEN }, (_, number) => `c${number}`)

/** What a chain of containers costs over one that does all, and what ten containers on one endpoint save over ten endpoints. */
export async function measureSeveralContainers(options: BenchOptions): Promise<Section> {
  const pipeline = await measurePipeline(options)
  const ten = await measureTen(options)
  return {
    title: 'Several containers on one endpoint',
    text:
      `JSON, SigV4 on, callers on the same cores; medians of ${options.scale.roundCount} interleaved rounds. The pipeline: code in berth/node that ` +
      `scales 64 numbers, MLP 64→256→10 in berth/onnx, code in berth/node that names the largest; beside it one berth/node container that does the ` +
      `three with the same code and the same ONNX Runtime. Ten: the MLP in ten containers of one endpoint with direct invocation, and in ten endpoints of ` +
      `one container; the load goes round all ten.`,
    tables: [pipeline, ten],
  }
}

async function measurePipeline({ scale, show }: BenchOptions): Promise<Table> {
  await using dataDir = await makeDataDir()
  await using berth = await BenchBerth.start(dataDir.path)
  const steps = await Promise.all(
    STEPS.map(async (step) => ({
      ContainerHostname: step,
      Image: step === 'score' ? 'berth/onnx' : 'berth/node',
      ModelDataUrl: await (step === 'score' ? berth.uploadModel(MODEL) : uploadCode(berth, step)),
    })),
  )
  await createEndpoint(berth, 'chain', steps, 'Serial')
  const all = await uploadCode(berth, 'all')
  await createEndpoint(berth, 'one', [{ Image: 'berth/node', ModelDataUrl: all }], 'Serial')
  const rows: string[][] = []
  for (const connectionCount of CONNECTION_COUNTS) {
    const cases = ['one', 'chain'].map((name) => ({
      name,
      measure: () => load(berth, [{ endpointName: name }], connectionCount, scale),
    }))
    const results = await runRounds(cases, scale.roundCount, (text) =>
      show(`${connectionCount} connections, ${text}`),
    )
    const of = (name: string) => results.get(name) ?? []
    const rate = (name: string): number => median(of(name).map(({ perSecond }) => perSecond))
    const p50 = (name: string): string => formatMs(median(of(name).map(({ p50Us }) => p50Us)))
    rows.push([
      String(connectionCount),
      formatCount(rate('one')),
      formatCount(rate('chain')),
      (rate('chain') / rate('one')).toFixed(2),
      p50('one'),
      p50('chain'),
    ])
  }
  const columns = ['Connections', 'One container, req/s', 'Pipeline of three, req/s', 'Share']
  return { columns: [...columns, 'One container, p50', 'Pipeline, p50'], rows }
}

/** One Berth for each side: what is measured of memory is all that runs for it. */
async function measureTen({ scale, show }: BenchOptions): Promise<Table> {
  await using directFolder = await makeDataDir()
  await using direct = await BenchBerth.start(directFolder.path)
  const url = await direct.uploadModel(MODEL)
  const containers = NAMES.map((ContainerHostname) => {
    return { ContainerHostname, Image: 'berth/onnx', ModelDataUrl: url }
  })
  show('creating ten containers on one endpoint')
  await createEndpoint(direct, 'ten', containers, 'Direct')
  await using separateFolder = await makeDataDir()
  await using separate = await BenchBerth.start(separateFolder.path)
  for (const name of NAMES) {
    show(`creating endpoint ${name}`)
    await separate.registerModel(name, MODEL)
    await separate.createEndpoint(name)
  }
  const sides = [
    {
      name: 'ten containers on one endpoint',
      berth: direct,
      instanceCount: 1,
      targets: NAMES.map((containerHostname) => ({ endpointName: 'ten', containerHostname })),
    },
    {
      name: 'ten endpoints',
      berth: separate,
      instanceCount: TEN,
      targets: NAMES.map((endpointName) => ({ endpointName })),
    },
  ]
  const cases = sides.map(({ name, berth, targets }) => ({
    name,
    measure: () => load(berth, targets, 16, scale),
  }))
  const results = await runRounds(cases, scale.roundCount, show)
  const rows: string[][] = []
  for (const { name, berth, instanceCount } of sides) {
    const samples = results.get(name) ?? []
    const pids = (await berth.describePlatform()).instances.map(({ pid }) => pid)
    const { proportionalBytes = Number.NaN } = readMemory(pids)
    rows.push([
      name,
      String(instanceCount),
      formatMib(proportionalBytes),
      formatCount(median(samples.map(({ perSecond }) => perSecond))),
      formatMs(median(samples.map(({ p50Us }) => p50Us))),
      formatMs(median(samples.map(({ p99Us }) => p99Us))),
    ])
  }
  return {
    columns: ['16 connections', 'Instances', 'PSS of containers', 'req/s', 'p50', 'p99'],
    rows,
  }
}

async function createEndpoint(
  berth: BenchBerth,
  name: string,
  Containers: ContainerDefinition[],
  Mode: InferenceExecutionMode,
): Promise<void> {
  await berth.registerContainers(name, { InferenceExecutionConfig: { Mode }, Containers })
  await berth.createEndpoint(name)
}

/** Model data of one step's code, or of the code of all of them, which has the model beside it. */
async function uploadCode(berth: BenchBerth, step: 'prepare' | 'name' | 'all'): Promise<string> {
  return await berth.uploadFiles({
    'model.onnx': await readFile(MODEL),
    'code/inference.ts': await readFile(join(FOLDER, `${step}.ts`)),
    'code/rows.ts': await readFile(join(FOLDER, 'rows.ts')),
    'code/package.json': Buffer.from('{"type":"module"}'),
  })
}

/** Whom an invocation is for. */
interface Target {
  readonly endpointName: string
  readonly containerHostname?: string
}

async function load(
  { environment, running }: BenchBerth,
  targets: readonly Target[],
  connectionCount: number,
  scale: BenchOptions['scale'],
) {
  const address = addressOfUrl(running.url)
  const requests = plainInvocations('').map((request, index) => {
    const { endpointName, containerHostname } = targets[index % targets.length] ?? {
      endpointName: '',
    }
    const named =
      containerHostname === undefined
        ? {}
        : { 'x-amzn-sagemaker-target-container-hostname': containerHostname }
    const path = `/endpoints/${endpointName}/invocations`
    return { ...request, path, headers: { ...request.headers, ...named } }
  })
  const signed = await signRequests(address, requests, {
    accessKeyId: environment.AWS_ACCESS_KEY_ID,
    secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
    region: environment.AWS_REGION,
    service: 'sagemaker',
  })
  using file = openRequestFile(signed)
  const stopAfter = { kind: 'duration', ...scale } as const
  return await runLoad({ address, requestsPath: file.path, connectionCount, stopAfter })
}
