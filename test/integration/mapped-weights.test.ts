import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { after, test } from 'node:test'
import { makeMlp } from '../../bench/models/mlp.ts'
import { encodeModel } from '../../bench/models/onnx-writer.ts'
import type { OptimiserReport } from '../../src/modelserver/compile/optimise.ts'
import { findDifference } from '../../src/modelserver/compile/find-difference.ts'
import { sampleInputs, seededRandom } from '../../src/modelserver/compile/sample-inputs.ts'
import { findModel } from '../../src/modelserver/onnx/find-model.ts'
import { optimisedForm } from '../../src/modelserver/onnx/optimised-form.ts'
import { loadModel } from '../../src/modelserver/onnx/model.ts'
import type { Model } from '../../src/modelserver/onnx/model.ts'
import { until } from '../support/until.ts'

const PROGRAM = join(import.meta.dirname, '../../src/modelserver/compile/main.ts')
const FIXTURES = join(import.meta.dirname, '../fixtures/models')
const HASH = 'a'.repeat(64)
// A width whose rearranged weights are not where the processor wants them when ONNX Runtime places them: 5.5 MB.
const SHAPE = { width: 580, layerCount: 4 }

const root = mkdtempSync(join(tmpdir(), 'berth-mapped-'))
const folders: string[] = []
after(() => {
  for (const folder of folders) makeWritable(folder)
  rmSync(root, { recursive: true, force: true })
})

/** A folder of models with one in it. */
function given(bytes: Buffer): { readonly models: string; readonly source: string } {
  const models = mkdtempSync(join(root, 'models-'))
  folders.push(models)
  const source = join(models, HASH)
  mkdirSync(source)
  writeFileSync(join(source, 'model.onnx'), bytes)
  return { models, source }
}

type Optimiser = ChildProcessByStdio<Writable, Readable, null>

function startOptimiser({ models, source }: ReturnType<typeof given>): Optimiser {
  const flags = { 'model-directory': source, 'content-hash': HASH, 'models-directory': models }
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
  return spawn(process.execPath, [PROGRAM, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
}

/** Runs the optimiser to its end. @returns its reports. */
async function optimise(place: ReturnType<typeof given>): Promise<OptimiserReport[]> {
  const child = startOptimiser(place)
  const reports: OptimiserReport[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => reports.push(JSON.parse(line) as OptimiserReport))
  await Promise.all([once(child, 'close'), once(lines, 'close')])
  return reports
}

async function optimised(place: ReturnType<typeof given>): Promise<string> {
  const [report] = await optimise(place)
  assert.equal(report?.kind, 'optimised', JSON.stringify(report))
  return report?.kind === 'optimised' ? report.directory : ''
}

interface Note {
  readonly event: string
  readonly reason: string
}

interface Loaded {
  readonly model: Model
  readonly notes: readonly Note[]
}

async function load(source: string, directory?: string): Promise<Loaded> {
  const notes: Note[] = []
  const files = { ...(await findModel(source)), optimised: optimisedForm(directory) }
  const model = await loadModel(files, (event, fields) =>
    notes.push({ event, reason: String(fields.reason) }),
  )
  return { model, notes }
}

async function answersOf({ session }: Model) {
  const shape = { rowCount: 3, openDim: 1 }
  return session.run(sampleInputs(session.signature, shape, seededRandom(7)) ?? [])
}

function damage(directory: string, name: string, change: (path: string) => void): void {
  makeWritable(directory)
  chmodSync(join(directory, name), 0o600)
  change(join(directory, name))
}

function makeWritable(folder: string): void {
  chmodSync(folder, 0o700)
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) makeWritable(join(folder, entry.name))
  }
}

test('a mapped model answers as the original does, before and after its batches become fast', async () => {
  const place = given(makeMlp(SHAPE))
  const original = await load(place.source)
  const mapped = await load(place.source, await optimised(place))
  assert.equal(mapped.notes.length, 0)
  const expected = await answersOf(original.model)
  assert.equal(findDifference(expected, await answersOf(mapped.model)), undefined)
  await until('fast batches', () => mapped.notes.length > 0)
  assert.equal(mapped.notes[0]?.event, 'batches became fast')
  assert.equal(findDifference(expected, await answersOf(mapped.model)), undefined)
})

test('a second run finds the artefact and makes nothing', async () => {
  const place = given(makeMlp(SHAPE))
  const directory = await optimised(place)
  const manifest = readFileSync(join(directory, 'manifest.json'), 'utf8')
  const reports = await optimise(place)
  assert.deepEqual(
    reports.map(({ kind }) => kind),
    ['optimised'],
  )
  assert.equal(readFileSync(join(directory, 'manifest.json'), 'utf8'), manifest)
  assert.deepEqual(readdirSync(join(place.models, '.incoming')), [])
})

for (const { what, name, change } of [
  {
    what: 'cut weights',
    name: 'model.onnx.data',
    change: (path: string) => truncateSync(path, 1_000_000),
  },
  {
    what: 'a head of other bytes',
    name: 'model.onnx',
    change: (path: string) => flipByte(path, 10),
  },
  {
    what: 'half a manifest',
    name: 'manifest.json',
    change: (path: string) => truncateSync(path, 100),
  },
]) {
  test(`${what}: a worker serves the original and says so, and the next run builds anew`, async () => {
    const place = given(makeMlp(SHAPE))
    const directory = await optimised(place)
    damage(directory, name, change)
    const { model, notes } = await load(place.source, directory)
    assert.equal(notes[0]?.event, 'optimised model not used')
    assert.ok(existsSync(`${directory}.suspect`))
    const original = await load(place.source)
    assert.deepEqual(await answersOf(model), await answersOf(original.model))

    assert.equal(await optimised(place), directory)
    assert.ok(!existsSync(`${directory}.suspect`))
    assert.deepEqual((await load(place.source, directory)).notes, [])
  })
}

test('one changed byte among the weights is found by the full look after the report', async () => {
  const place = given(makeMlp(SHAPE))
  const directory = await optimised(place)
  damage(directory, 'model.onnx.data', (path) => flipByte(path, 3_000_000))
  const reports = await optimise(place)
  assert.deepEqual(
    reports.map(({ kind }) => kind),
    ['optimised', 'damaged'],
  )
  assert.ok(!existsSync(directory))
  assert.equal(await optimised(place), directory)
})

for (const { what, mark } of [
  { what: 'a suspect', mark: '.suspect' },
  { what: 'what was not on the disk when the machine died', mark: '.unsynced' },
]) {
  test(`${what} is read in full before it is used again`, async () => {
    const place = given(makeMlp(SHAPE))
    const directory = await optimised(place)
    assert.ok(!existsSync(directory + mark))
    damage(directory, 'model.onnx.data', (path) => flipByte(path, 3_000_000))
    writeFileSync(directory + mark, '')
    const reports = await optimise(place)
    assert.deepEqual(
      reports.map(({ kind }) => kind),
      ['optimised'],
    )
    assert.ok(!existsSync(directory + mark))
    assert.deepEqual((await load(place.source, directory)).notes, [])
  })
}

test('an artefact for another processor or runtime is not loaded', async () => {
  const place = given(makeMlp(SHAPE))
  const directory = await optimised(place)
  damage(directory, 'manifest.json', (path) => {
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as object
    writeFileSync(path, JSON.stringify({ ...manifest, key: '0123456789abcdef' }))
  })
  const { notes } = await load(place.source, directory)
  assert.match(notes[0]?.reason ?? '', /another processor or runtime/)
})

test('an optimiser that was killed leaves nothing that counts, and the next one goes through', async () => {
  // On a machine that is busy elsewhere it may have done its work before it is killed.
  const place = await until('one that was killed in its work', async () => {
    const tried = given(makeMlp(SHAPE))
    const child = startOptimiser(tried)
    const incoming = join(tried.models, '.incoming')
    const list = (): string[] => (existsSync(incoming) ? readdirSync(incoming) : [])
    const ended = once(child, 'exit')
    await until('work begun, or done', () => list().length > 0 || child.exitCode !== null)
    child.kill('SIGKILL')
    await ended
    return list().length > 0 && tried
  })
  assert.deepEqual(artefacts(place.models), [])
  assert.ok(existsSync(await optimised(place)))
})

test('a model that ends the optimiser three times is left as it is', async () => {
  const place = given(makeMlp(SHAPE))
  const directory = await optimised(place)
  makeWritable(directory)
  rmSync(directory, { recursive: true })
  const trial = { verdict: 'trying', attemptCount: 3, reason: 'the optimiser ended' }
  writeFileSync(`${directory}.json`, JSON.stringify(trial))
  assert.deepEqual(await optimise(place), [{ kind: 'original', reason: 'the optimiser ended' }])
})

test('an optimiser whose starter is gone ends', async () => {
  const child = startOptimiser(given(makeMlp(SHAPE)))
  child.stdin.end()
  const [code] = (await once(child, 'exit')) as [number | null]
  assert.equal(code, 1)
})

for (const { what, bytes, reason } of [
  {
    what: 'a ZipMap',
    bytes: readFileSync(join(FIXTURES, 'iris-zipmap.onnx')),
    reason: /ZipMap/,
  },
  {
    what: 'small weights',
    bytes: readFileSync(join(FIXTURES, 'affine.onnx')),
    reason: /only \d+ bytes of it are weights/,
  },
  {
    what: 'chance in it',
    bytes: noisyModel(),
    reason: /answers the same input differently each time: output output differs/,
  },
]) {
  test(`a model with ${what} is refused once and for all, with the reason`, async () => {
    const place = given(bytes)
    const [report] = await optimise(place)
    assert.ok(report?.kind === 'original')
    assert.match(report.reason, reason)
    assert.deepEqual(artefacts(place.models), [])
    const [again] = await optimise(place)
    assert.deepEqual(again, report)
  })
}

/** Folders of artefacts. */
function artefacts(models: string): string[] {
  return readdirSync(models, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name.includes('.optimised-'))
    .map(({ name }) => name)
}

function flipByte(path: string, offset: number): void {
  const bytes = readFileSync(path)
  bytes[offset] = (bytes[offset] ?? 0) ^ 0xff
  writeFileSync(path, bytes)
}

/** Adds other noise at each run. */
function noisyModel(): Buffer {
  const side = 1100
  const weights = new Float32Array(side * side).fill(1 / side)
  return encodeModel({
    name: 'noisy',
    nodes: [
      { operator: 'RandomNormalLike', inputs: ['input'], output: 'noise' },
      { operator: 'Add', inputs: ['input', 'noise'], output: 'sum' },
      { operator: 'MatMul', inputs: ['sum', 'weights'], output: 'output' },
    ],
    tensors: [{ name: 'weights', dims: [side, side], values: weights }],
    input: { name: 'input', width: side },
    output: { name: 'output', width: side },
  })
}
