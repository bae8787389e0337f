import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Interface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { after, test } from 'node:test'
import { removeBrokenOff } from '../../src/modelserver/node/environment/remove-broken-off.ts'
import { runIfFree } from '../../src/modelserver/user-code/lock.ts'

const PLACES = 30
const RACERS = 4
const folder = mkdtempSync(join(tmpdir(), 'berth-locks-'))
const children = new Set<ReturnType<typeof spawn>>()
after(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})
const places = Array.from({ length: PLACES }, (_, index) => join(folder, `place-${index}`))
const LOCK = new URL('../../src/modelserver/user-code/lock.ts', import.meta.url).href
const PREFACE = `
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
const { runIfFree } = await import(${JSON.stringify(LOCK)})
const places = ${JSON.stringify(places)}
const wakes = new Promise((resolve) => process.stdin.once('data', resolve))
const forever = new Promise(() => setInterval(() => undefined, 1e6))`

/** Holds every place until it is killed. */
const OWNER = `${PREFACE}
let heldCount = 0
for (const place of places) {
  void runIfFree(place, async () => { if (++heldCount === places.length) console.log('holds'); await forever })
}`

/** Tries each place once, then, when told, takes each of them; it must be alone there. */
const RACER = `${PREFACE}
let takenCount = 0
for (const place of places) if (await runIfFree(place, async () => undefined)) takenCount += 1
console.log('took ' + takenCount)
await wakes
for (const place of places) {
  const work = async () => {
    mkdirSync(place + '.alone')
    await new Promise((resolve) => setImmediate(resolve))
    rmdirSync(place + '.alone')
  }
  while (!(await runIfFree(place, work))) await new Promise((resolve) => setImmediate(resolve))
  writeFileSync(place + '.' + process.pid, '')
}
console.log('done')
process.exit(0)`

interface Program {
  readonly child: ChildProcessByStdio<Writable, Readable, null>
  readonly lines: AsyncIterator<string>
}

function start(text: string): Program {
  const child = spawn(process.execPath, ['--input-type=module', '-e', text], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.add(child)
  const reader: Interface = createInterface({ input: child.stdout })
  return { child, lines: reader[Symbol.asyncIterator]() }
}

const lineOf = async ({ lines }: Program): Promise<unknown> => (await lines.next()).value

test('of many processes that want the place of one that was killed, one at a time has it', async () => {
  const owner = start(OWNER)
  assert.equal(await lineOf(owner), 'holds')
  const racers = Array.from({ length: RACERS }, () => start(RACER))
  assert.deepEqual(
    await Promise.all(racers.map(lineOf)),
    racers.map(() => 'took 0'),
  )
  // All of them are after the same locks while their holder dies.
  for (const { child } of racers) child.stdin.write('go\n')
  owner.child.kill('SIGKILL')
  const exits = racers.map(async ({ child }) => (await once(child, 'exit'))[0] as unknown)
  assert.deepEqual(
    await Promise.all(racers.map(lineOf)),
    racers.map(() => 'done'),
  )
  assert.deepEqual(
    await Promise.all(exits),
    racers.map(() => 0),
  )
  const marks = readdirSync(folder).filter((name) => /\.\d+$/.test(name))
  assert.equal(marks.length, PLACES * RACERS)
})

test('within one process a place has one at a time, too', async () => {
  const place = join(folder, 'own')
  const ran = await runIfFree(place, async () => {
    assert.equal(await runIfFree(place, () => assert.fail('it ran')), false)
  })
  assert.equal(ran, true)
  assert.equal(await runIfFree(place, () => Promise.resolve()), true)
})

test('half-made packages go, except those that somebody is making', async () => {
  const directory = join(folder, 'packages')
  for (const name of ['a', 'a.00000001', 'b.00000002', 'c.00000003', 'c.notes']) {
    mkdirSync(join(directory, name, 'node_modules'), { recursive: true })
    writeFileSync(join(directory, name, 'node_modules/file'), '')
  }
  await runIfFree(join(directory, 'a'), async () => {
    await runIfFree(join(directory, 'c'), async () => {
      await removeBrokenOff(directory, 'a', () => undefined)
    })
  })
  assert.deepEqual(readdirSync(directory).toSorted(), ['.locks', 'a', 'c.00000003', 'c.notes'])
})
