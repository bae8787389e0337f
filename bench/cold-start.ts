import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { programPath } from '../src/platform/program.ts'
import { makeDataDir } from './harness/berth.ts'
import { readMemory } from './harness/memory.ts'
import { ModelServerProcess, type ServerOptions } from './harness/model-server.ts'
import { formatMib, type Section } from './harness/report.ts'
import { encodeInstances, makeRows } from './harness/rows.ts'
import { runRounds } from './harness/rounds.ts'
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
    measure: () => measureStart(folder.path, way),
  }))
  const results = await runRounds(cases, scale.repeatCount, show)
  return {
    title: 'Cold start',
    text:
      `One process of the built-in model server, from its start (or, pooled, from its assignment) to its first ` +
      `answer over HTTP; medians of ${scale.repeatCount}, range in parentheses. Multilayer perceptrons; "page cache ` +
      `empty" means that nothing of the file was in memory.`,
    tables: [startTable(models, results), await measureMemory(folder.path, models, show)],
  }
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

function startTable(models: readonly DiskModel[], results: ReadonlyMap<string, readonly number[]>) {
  const cell = (way: Way): string => {
    const ms = results.get(nameOf(way))
    if (ms === undefined) return '–'
    const [least, most] = range(ms).map(Math.round)
    return `${Math.round(median(ms))} ms (${least}–${most})`
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
