import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { programPath } from '../src/platform/program.ts'
import { addressOfUrl } from './harness/address.ts'
import { ask } from './harness/ask.ts'
import { BenchBerth, makeDataDir } from './harness/berth.ts'
import { setEnvironment } from './harness/environment.ts'
import { signInvocations } from './harness/invocations.ts'
import { readMemory } from './harness/memory.ts'
import { ModelServerProcess, type ServerOptions } from './harness/model-server.ts'
import { formatMib, type Section } from './harness/report.ts'
import { encodeInstances, makeRows } from './harness/rows.ts'
import { type Case, runRounds } from './harness/rounds.ts'
import type { BenchOptions } from './harness/scale.ts'
import { median, range } from './harness/stats.ts'
import { makeMlp, type MlpShape, shapeOfBytes } from './models/mlp.ts'

const MEGABYTE = 1_000_000
const SMALL: MlpShape = { width: 32, layerCount: 0 }
const MODELS = [
  { name: '10 kB', shape: SMALL },
  { name: '4 MB', shape: shapeOfBytes(4 * MEGABYTE) },
  { name: '8 MB', shape: shapeOfBytes(8 * MEGABYTE) },
  { name: '40 MB', shape: shapeOfBytes(40 * MEGABYTE) },
  { name: '400 MB', shape: shapeOfBytes(400 * MEGABYTE) },
]
const WORKER_COUNT = 4
// A start from the pool takes so little that a moment of other work on the machine doubles it: more of them make a median.
const POOLED_STARTS = 3
const REPLACED = MODELS.filter(({ name }) => name === '10 kB' || name === '40 MB')
const ASK_MAX_MS = 20_000
const ASK_AGAIN_MS = 2
const POOL_LOOK_MS = 200
const HTTP_OK = 200

/** A model on the disk, and its optimised form unless it has none. */
interface DiskModel {
  readonly name: string
  readonly directory: string
  readonly bytes: number
  readonly optimised: string | undefined
  readonly optimiseMs: number
}

/** One way to serve one model. */
interface Way {
  readonly model: DiskModel
  readonly isMapped: boolean
  readonly isPooled: boolean
  readonly isCold: boolean
}

/** How long a model of some size takes to its first answer, and what four workers of a large one take of memory. */
export async function measureColdStart({ scale, show }: BenchOptions): Promise<Section> {
  await using folder = await makeDataDir()
  const models: DiskModel[] = []
  for (const { name, shape } of MODELS) {
    show(`making and optimising ${name}`)
    models.push(await makeModel(folder.path, name, shape))
  }
  // What was just written would be written out while we measure, and count as private until then.
  execFileSync('sync')
  const ways = models.flatMap(waysOf)
  const cases = ways.map((way) => ({
    name: nameOf(way),
    measure: () => measureStarts(folder.path, way),
  }))
  const loadBefore = describeLoad()
  const results = await runRounds(cases, scale.repeatCount, show)
  return {
    title: 'Cold start',
    text:
      `One process of the built-in model server, from its start (or, pooled, from its assignment) to its first ` +
      `answer over HTTP; medians of ${scale.repeatCount}, from the pool and from memory of ` +
      `${scale.repeatCount * POOLED_STARTS}, range in parentheses. Multilayer perceptrons; "page cache empty" means that ` +
      `nothing of the file was in memory. Load average of the machine while this was measured: ${loadBefore} at first, ` +
      `${describeLoad()} at last. Second table: the only instance of an endpoint is killed; until a client of the ` +
      `gateway has its next answer.`,
    tables: [
      startTable(models, results),
      await measureReplacements(models, { scale, show }),
      await measureMemory(folder.path, models, show),
    ],
  }
}

function describeLoad(): string {
  return (loadavg()[0] ?? Number.NaN).toFixed(1)
}

async function makeModel(root: string, name: string, shape: MlpShape): Promise<DiskModel> {
  const hash = name.replace(' ', '')
  const directory = join(root, hash)
  await mkdir(directory)
  const path = join(directory, 'model.onnx')
  await writeFile(path, makeMlp(shape))
  const startedAtMs = performance.now()
  const optimised = await optimise(root, directory, hash)
  const optimiseMs = performance.now() - startedAtMs
  return { name, directory, bytes: (await stat(path)).size, optimised, optimiseMs }
}

/** @returns the artefact's folder, or `undefined` when the optimiser refuses the model. */
async function optimise(
  root: string,
  directory: string,
  hash: string,
): Promise<string | undefined> {
  const flags = [`--model-directory=${directory}`, `--content-hash=${hash}`]
  const program = programPath('modelserver/compile/main')
  const child = spawn(process.execPath, [program, ...flags, `--models-directory=${root}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  await once(child, 'close')
  const report = JSON.parse(lines[0] ?? '{}') as { kind?: string; directory?: string }
  return report.kind === 'optimised' ? report.directory : undefined
}

function waysOf(model: DiskModel): Way[] {
  const forms = model.optimised === undefined ? [false] : [false, true]
  return forms.flatMap((isMapped) =>
    [false, true].flatMap((isPooled) =>
      [false, true].map((isCold) => ({ model, isMapped, isPooled, isCold })),
    ),
  )
}

function nameOf({ model, isMapped, isPooled, isCold }: Way): string {
  const start = isPooled ? 'warm pool' : 'new process'
  const cache = isCold ? ', page cache empty' : ''
  return `${model.name}, ${isMapped ? 'mapped' : 'original'}, ${start}${cache}`
}

async function measureStarts(root: string, way: Way): Promise<readonly number[]> {
  const count = way.isPooled && !way.isCold ? POOLED_STARTS : 1
  const ms: number[] = []
  while (ms.length < count) ms.push(await measureStart(root, way))
  return ms
}

async function measureStart(root: string, way: Way): Promise<number> {
  const folder = await mkdtemp(join(root, 's'))
  const options = serverOptions(way.model, way.isMapped, folder, 1)
  if (way.isCold) await emptyPageCache(options.optimisedDirectory ?? options.modelDirectory)
  const assign = way.isPooled
    ? await ModelServerProcess.pool(options)
    : () => ModelServerProcess.start(options)
  const startedAtMs = performance.now()
  await using server = assign()
  await server.firstAnswer(request())
  const ms = performance.now() - startedAtMs
  await rm(folder, { recursive: true })
  return ms
}

function serverOptions(
  model: DiskModel,
  isMapped: boolean,
  folder: string,
  workerCount: number,
): ServerOptions {
  const optimisedDirectory = isMapped ? model.optimised : undefined
  return { modelDirectory: model.directory, optimisedDirectory, workerCount, folder }
}

function request(): Buffer {
  const body = encodeInstances(makeRows(1)[0] ?? [])
  return Buffer.from(
    `POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
}

// dd tells the kernel that the file's pages are not needed; those that nobody maps are dropped.
async function emptyPageCache(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    execFileSync('dd', [`if=${join(directory, name)}`, 'iflag=nocache', 'count=0', 'status=none'])
  }
}

function startTable(
  models: readonly DiskModel[],
  results: ReadonlyMap<string, readonly (readonly number[])[]>,
) {
  const cell = (way: Way): string => {
    const ms = results.get(nameOf(way))
    return ms === undefined ? '–' : formatSpread(ms.flat())
  }
  const rows = models.flatMap((model) =>
    [true, false].map((isPooled) => [
      `${model.name}, ${isPooled ? 'warm pool' : 'new process'}`,
      cell({ model, isPooled, isMapped: false, isCold: false }),
      cell({ model, isPooled, isMapped: true, isCold: false }),
      cell({ model, isPooled, isMapped: false, isCold: true }),
      cell({ model, isPooled, isMapped: true, isCold: true }),
      model.optimised === undefined ? '–' : `${(model.optimiseMs / 1000).toFixed(1)} s`,
    ]),
  )
  const columns = [
    'Model',
    'original',
    'mapped',
    'original, page cache empty',
    'mapped, page cache empty',
    'optimised once in',
  ]
  return { columns, rows }
}

function formatSpread(ms: readonly number[]): string {
  const [least, most] = range(ms).map(Math.round)
  return `${Math.round(median(ms))} ms (${least}–${most})`
}

/** What a client sees of a killed instance, with a pool and without one. */
async function measureReplacements(models: readonly DiskModel[], { scale, show }: BenchOptions) {
  await using started = new AsyncDisposableStack()
  const cases: Case<number>[] = []
  for (const poolCount of [1, 0]) {
    const dataDir = started.use(await makeDataDir())
    using _ = setEnvironment({ BERTH_WARM_POOL: String(poolCount) })
    const berth = started.use(await BenchBerth.start(dataDir.path))
    for (const { name, directory } of models) {
      if (!REPLACED.some((model) => model.name === name)) continue
      const endpointName = name.replace(' ', '').toLowerCase()
      await berth.registerModel(endpointName, join(directory, 'model.onnx'))
      const measure = () => measureReplacement(berth, endpointName, poolCount)
      cases.push({ name: replacementName(name, poolCount), measure })
    }
  }
  const results = await runRounds(cases, scale.repeatCount, show)
  const cell = (name: string, poolCount: number): string =>
    formatSpread(results.get(replacementName(name, poolCount)) ?? [])
  const rows = REPLACED.map(({ name }) => [name, cell(name, 1), cell(name, 0)])
  const columns = ['Instance killed: next answer', 'from the warm pool', 'no pool']
  return { columns, rows }
}

function replacementName(model: string, poolCount: number): string {
  return `${model} replaced, ${poolCount === 0 ? 'no pool' : 'warm pool'}`
}

// An endpoint of its own each time: a second death within seconds would be answered with a delay.
async function measureReplacement(
  berth: BenchBerth,
  endpointName: string,
  poolCount: number,
): Promise<number> {
  await berth.createEndpoint(endpointName)
  const requests = await signInvocations(berth, endpointName)
  const address = addressOfUrl(berth.running.url)
  const askOnce = async (): Promise<boolean> => {
    const reply = await ask(address, requests[0] ?? Buffer.alloc(0), ASK_MAX_MS).catch(() => {})
    return reply?.status === HTTP_OK
  }
  while (!(await askOnce())) await sleep(ASK_AGAIN_MS)
  let platform = await observePlatform(berth)
  while (platform.warmPool.filter(({ state }) => state === 'ready').length < poolCount) {
    await sleep(POOL_LOOK_MS)
    platform = await observePlatform(berth)
  }
  await sleep(POOL_LOOK_MS)
  const startedAtMs = performance.now()
  process.kill(platform.instances[0]?.pid ?? Number.NaN, 'SIGKILL')
  // Its connections die with it, which the gateway may not have seen yet: the first answer is that of another.
  while (!(await askOnce())) await sleep(ASK_AGAIN_MS)
  const ms = performance.now() - startedAtMs
  await berth.deleteEndpoint(endpointName)
  return ms
}

async function observePlatform(berth: BenchBerth) {
  const platform = await berth.describePlatform()
  return platform as typeof platform & { readonly warmPool: readonly { readonly state: string }[] }
}

async function measureMemory(
  root: string,
  models: readonly DiskModel[],
  show: BenchOptions['show'],
) {
  const [small] = models
  const large = models.at(-1)
  if (small === undefined || large === undefined) throw new Error('There are no models.')
  const rows: string[][] = []
  for (const { model, isMapped, events } of [
    { model: small, isMapped: false, events: ['model loaded'] },
    { model: large, isMapped: false, events: ['model loaded'] },
    { model: large, isMapped: true, events: ['model loaded', 'batches became fast'] },
  ]) {
    show(`memory of ${model.name}, ${isMapped ? 'mapped' : 'original'}`)
    const folder = await mkdtemp(join(root, 's'))
    await using server = ModelServerProcess.start(
      serverOptions(model, isMapped, folder, WORKER_COUNT),
    )
    const startedAtMs = performance.now()
    for (const event of events) {
      await server.logged(event, WORKER_COUNT)
      // So many at a time that every worker runs, and its pages are there.
      await Promise.all(
        Array.from({ length: WORKER_COUNT * 8 }, () => server.firstAnswer(request())),
      )
      const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1)
      const { proportionalBytes = NaN } = readMemory([server.pid])
      const copies = model === small ? '–' : (proportionalBytes / model.bytes).toFixed(2)
      const stage = `${model.name}, ${isMapped ? 'mapped' : 'original'}: ${event} ×${WORKER_COUNT}`
      rows.push([stage, formatMib(proportionalBytes), copies, `${seconds} s`])
    }
  }
  return { columns: [`${WORKER_COUNT} workers`, 'PSS in all', 'copies', 'after'], rows }
}
