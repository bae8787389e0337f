import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { pino } from 'pino'
import { createModelOptimiser } from '../../src/adapters/process/model-optimiser.ts'
import { until } from '../support/until.ts'

const never = new AbortController().signal
const LARGE = 100 * 1024 * 1024

/** A program that stands for the optimiser: notes that it ran, then does what the test says. */
function start(t: TestContext, program: string) {
  const folder = mkdtempSync(join(tmpdir(), 'berth-optimiser-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const artefact = join(folder, 'artefact')
  const entryPath = join(folder, 'program.mjs')
  const runs = join(folder, 'runs')
  writeFileSync(runs, '')
  writeFileSync(
    entryPath,
    `import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
     appendFileSync(${JSON.stringify(runs)}, 'x')
     const artefact = ${JSON.stringify(artefact)}
     const say = (value) => console.log(JSON.stringify(value))
     const done = () => { mkdirSync(artefact, { recursive: true }); say({ kind: 'optimised', directory: artefact, detail: { plainBytes: 7 } }) }
     ${program}`,
  )
  const stopping = new AbortController()
  const optimise = createModelOptimiser({
    nodePath: process.execPath,
    entryPath,
    modelsDirectory: folder,
    environment: {},
    log: pino({ enabled: false }),
    stopping: stopping.signal,
  })
  const ask = (contentHash = 'a', { bytes = LARGE, signal = never } = {}) =>
    optimise({ directory: folder, contentHash, bytes }, signal)
  return { ask, artefact, stop: () => stopping.abort(), runCount: () => readFileSync(runs).length }
}

test('all who ask for the same content share one run, and later ones its outcome', async (t) => {
  const { ask, artefact, runCount } = start(t, 'done()')
  const outcomes = await Promise.all([ask(), ask(), ask()])
  const expected = { kind: 'optimised', directory: artefact, detail: { plainBytes: 7 } }
  assert.deepEqual(outcomes, [expected, expected, expected])
  assert.deepEqual(await ask(), expected)
  assert.equal(runCount(), 1)
  await ask('b')
  assert.equal(runCount(), 2)
})

test('small model data is not looked at', async (t) => {
  const { ask, runCount } = start(t, 'done()')
  assert.deepEqual(await ask('a', { bytes: 1024 * 1024 }), { kind: 'small' })
  assert.equal(runCount(), 0)
})

for (const { what, change } of [
  { what: 'was removed', change: (path: string) => rmSync(path, { recursive: true }) },
  { what: 'is suspect', change: (path: string) => writeFileSync(`${path}.suspect`, '') },
]) {
  test(`an artefact that ${what} is looked for again`, async (t) => {
    const { ask, artefact, runCount } = start(t, 'done()')
    await ask()
    change(artefact)
    await ask()
    assert.equal(runCount(), 2)
  })
}

test('an artefact that the full look found damaged is looked for again', async (t) => {
  const damaged = "done(); say({ kind: 'damaged', reason: 'bits' })"
  const { ask, runCount } = start(t, damaged)
  await ask()
  await until('a second run', async () => (await ask()) && runCount() === 2)
})

for (const { what, program, reason } of [
  {
    what: 'refuses',
    program: "say({ kind: 'original', reason: 'it is odd' })",
    reason: /^it is odd$/,
  },
  {
    what: 'crashes',
    program: "process.kill(process.pid, 'SIGSEGV')",
    reason: /ended with SIGSEGV/,
  },
  { what: 'fails', program: "throw new Error('no room')", reason: /exit code 1: .*no room/s },
  {
    what: 'says something else',
    program: "console.log('hello')",
    reason: /ended with exit code 0/,
  },
]) {
  test(`an optimiser that ${what}: the original serves, and the outcome says why`, async (t) => {
    const { ask, runCount } = start(t, program)
    const outcome = await ask()
    assert.ok(outcome.kind === 'original')
    assert.match(outcome.reason, reason)
    await ask()
    assert.equal(runCount(), 1)
  })
}

test('one who leaves does not stop the others; stopping ends the program', async (t) => {
  const { ask, stop, runCount } = start(t, 'setInterval(() => {}, 1000)')
  const leaver = new AbortController()
  const leaving = ask('a', { signal: leaver.signal })
  const staying = ask()
  await until('a run', () => runCount() === 1)
  leaver.abort()
  await assert.rejects(leaving, { name: 'AbortError' })
  stop()
  const outcome = await staying
  assert.equal(outcome.kind, 'original')
})
