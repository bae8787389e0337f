import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { makeMlp } from '../../bench/models/mlp.ts'
import { disposeBerth, startBerth } from '../support/berth.ts'
import type { RunningBerth } from '../support/berth.ts'
import { runCli } from '../support/run-cli.ts'
import { until } from '../support/until.ts'

const FIXTURES = join(import.meta.dirname, '../fixtures/models')
const folder = mkdtempSync(join(tmpdir(), 'berth-wide-'))
// 10 MB, a little more than what is optimised at all.
const wide = join(folder, 'model.onnx')
writeFileSync(wide, makeMlp({ width: 790, layerCount: 4 }))
after(() => rmSync(folder, { recursive: true }))

const body = JSON.stringify({
  instances: [1, 2, 3].map((row) =>
    Array.from({ length: 64 }, (_, index) => Math.sin(row * index)),
  ),
})

interface Deployed {
  readonly answer: readonly (readonly number[])[]
  readonly events: readonly { readonly kind: string; readonly inputs: Record<string, unknown> }[]
}

async function deploy(berth: RunningBerth, model: string, name: string): Promise<Deployed> {
  const deployed = await runCli(['deploy', model, '--name', name, '--data-dir', berth.dataDir])
  assert.equal(deployed.exitCode, 0, deployed.stderr)
  const described = await runCli(['describe', name, '--json', '--data-dir', berth.dataDir])
  return { answer: await ask(berth, name), events: JSON.parse(described.stdout).events }
}

async function ask(berth: RunningBerth, name: string): Promise<Deployed['answer']> {
  const args = ['invoke', name, '--body', body, '--data-dir', berth.dataDir]
  const answered = await runCli(args)
  assert.equal(answered.exitCode, 0, answered.stderr)
  return JSON.parse(answered.stdout).predictions
}

async function pidOf(berth: RunningBerth): Promise<number | undefined> {
  const args = ['describe', '--platform', '--json', '--data-dir', berth.dataDir]
  return JSON.parse((await runCli(args)).stdout).instances[0]?.pid
}

const kindsOf = ({ events }: Deployed): readonly string[] => events.map(({ kind }) => kind)
const artefactsOf = (berth: RunningBerth): readonly string[] =>
  readdirSync(join(berth.dataDir, 'models')).filter((name) => name.includes('.optimised-'))

test('a large model is served mapped, and its replacement finds the same artefact', async (t) => {
  const berth = await startBerth()
  t.after(() => disposeBerth(berth))
  const deployed = await deploy(berth, wide, 'wide')
  assert.ok(kindsOf(deployed).includes('model-optimised'), kindsOf(deployed).join())
  const [artefact = ''] = artefactsOf(berth)
  assert.match(artefact, /^[0-9a-f]{64}\.optimised-[0-9a-f]{16}$/)

  const pid = await pidOf(berth)
  await until('fast batches', async () => {
    const logs = await runCli(['logs', 'wide', '--data-dir', berth.dataDir])
    return logs.stdout.includes('batches became fast')
  })
  assert.ok(maps(pid, `${artefact}/model.onnx.data`), 'the artefact is not mapped')
  assertClose(await ask(berth, 'wide'), deployed.answer)

  const manifest = join(berth.dataDir, 'models', artefact, 'manifest.json')
  const before = readFileSync(manifest, 'utf8')
  process.kill(pid ?? 0, 'SIGKILL')
  const replacement = await until('a replacement', async () => {
    const now = await pidOf(berth)
    return now !== pid && now
  })
  await until('the artefact mapped again', () => maps(replacement, `${artefact}/model.onnx.data`))
  assert.equal(readFileSync(manifest, 'utf8'), before)
})

test('switched off, the original serves, with the same answers', async (t) => {
  const off = await startBerth({ environment: { BERTH_MAPPED_WEIGHTS: 'off' } })
  t.after(() => disposeBerth(off))
  const plain = await deploy(off, wide, 'wide')
  assert.deepEqual(artefactsOf(off), [])
  assert.ok(!kindsOf(plain).some((kind) => kind.includes('optimised')))

  const on = await startBerth()
  t.after(() => disposeBerth(on))
  assertClose((await deploy(on, wide, 'wide')).answer, plain.answer)
})

test('a small model is served as it is', async (t) => {
  const berth = await startBerth()
  t.after(() => disposeBerth(berth))
  const flags = ['--name', 'small', '--data-dir', berth.dataDir]
  const small = await runCli(['deploy', join(FIXTURES, 'affine.onnx'), ...flags])
  assert.equal(small.exitCode, 0, small.stderr)
  assert.deepEqual(artefactsOf(berth), [])
})

function maps(pid: number | undefined, file: string): boolean {
  return readFileSync(`/proc/${pid}/maps`, 'utf8').includes(file)
}

function assertClose(given: Deployed['answer'], expected: Deployed['answer']): void {
  assert.equal(given.length, expected.length)
  for (const [index, value] of expected.flat().entries()) {
    assert.ok(Math.abs((given.flat()[index] ?? NaN) - value) < 1e-4, `value ${index}`)
  }
}
