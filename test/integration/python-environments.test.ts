import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { createInterface } from 'node:readline'

import { removeUnused } from '../../src/modelserver/python/environment/remove-unused.ts'
import { touch } from '../../src/modelserver/python/environment/uses.ts'
import { runIfFree } from '../../src/modelserver/user-code/lock.ts'

const USER = join(import.meta.dirname, '../fixtures/environments/use.ts')
const NOW_MS = Date.UTC(2030, 0, 1)
const DAY_MS = 86_400_000
const NEVER = { unusedMsMax: Infinity, bytesMax: Infinity }
const OLDER_THAN_A_DAY = { ...NEVER, unusedMsMax: DAY_MS }

let directory = mkdtempSync(join(tmpdir(), 'berth-environments-'))
const children = new Set<ChildProcess>()

beforeEach(() => {
  rmSync(directory, { recursive: true, force: true })
  directory = mkdtempSync(join(tmpdir(), 'berth-environments-'))
})

after(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

const placeOf = (digit: string): string => join(directory, digit.repeat(24))

/** An environment of so many bytes that was last asked for so many days ago. */
async function add(digit: string, daysAgo: number, bytes = 10): Promise<string> {
  const place = placeOf(digit)
  const folder = `${place}.${digit.repeat(8)}`
  mkdirSync(join(folder, 'bin'), { recursive: true })
  writeFileSync(join(folder, 'bin', 'python'), 'a'.repeat(bytes))
  symlinkSync(folder, place)
  await touch(place, new Date(NOW_MS - daysAgo * DAY_MS))
  return place
}

/** A process that uses an environment; resolves when it has it. */
async function startUser(place: string, roundCount = 0): Promise<ChildProcess> {
  const child = spawn(process.execPath, [USER, place, String(roundCount)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.add(child)
  await once(createInterface({ input: child.stdout }), 'line')
  return child
}

const remove = (limits = OLDER_THAN_A_DAY, nowMs = NOW_MS): Promise<readonly string[]> =>
  removeUnused({ environmentsDirectory: directory, limits, nowMs, log: () => undefined })

const left = (): readonly string[] =>
  readdirSync(directory)
    .filter((name) => name !== '.locks')
    .toSorted()

test('what has not been asked for in too long is removed whole, and nothing else', async () => {
  await add('a', 3)
  const kept = await add('b', 0.5)
  const before = left().filter((name) => name.startsWith('b'))
  assert.deepEqual(await remove(), ['a'.repeat(24)])
  assert.deepEqual(left(), before)
  assert.ok(existsSync(join(kept, 'bin', 'python')))
})

test('beyond the size the least recently used go first, as few as will do', async () => {
  await add('a', 1, 50_000)
  await add('b', 3, 50_000)
  await add('c', 2, 50_000)
  const removed = await remove({ ...NEVER, bytesMax: 120_000 })
  assert.deepEqual(removed, ['b'.repeat(24)])
  assert.deepEqual(await remove({ ...NEVER, bytesMax: 1 }), ['c'.repeat(24), 'a'.repeat(24)])
  assert.deepEqual(left(), [])
})

test('what a process uses stays, until that process has died', async () => {
  const place = await add('a', 100)
  const user = await startUser(place)
  await touch(place, new Date(NOW_MS - 100 * DAY_MS))
  assert.deepEqual(await remove(), [])
  assert.ok(existsSync(join(place, 'bin', 'python')))
  user.kill('SIGKILL')
  await once(user, 'exit')
  assert.deepEqual(await remove(), ['a'.repeat(24)])
  assert.deepEqual(left(), [])
})

test('what is being made stays', async () => {
  const place = await add('a', 100)
  await runIfFree(place, async () => {
    assert.deepEqual(await remove(), [])
  })
  assert.ok(existsSync(join(place, 'bin', 'python')))
})

test('what was left half made or half removed goes', async () => {
  const place = await add('a', 100)
  mkdirSync(`${place}.12345678/bin`, { recursive: true })
  symlinkSync(`${place}.aaaaaaaa`, `${place}.leaving-12345678`)
  rmSync(place)
  writeFileSync(`${place}.use-${2 ** 30}-1`, '')
  assert.deepEqual(await remove(), ['a'.repeat(24)])
  assert.deepEqual(left(), [])
})

test('what has no time yet begins its time now', async () => {
  const place = await add('a', 100)
  rmSync(`${place}.used`)
  assert.deepEqual(await remove(), [])
  assert.deepEqual(await remove(OLDER_THAN_A_DAY, NOW_MS + 2 * DAY_MS), ['a'.repeat(24)])
})

test('other files of the folder are left alone', async () => {
  writeFileSync(join(directory, 'notes.txt'), '')
  mkdirSync(join(directory, 'a-folder'))
  assert.deepEqual(await remove({ unusedMsMax: -1, bytesMax: 0 }), [])
  assert.deepEqual(left(), ['a-folder', 'notes.txt'])
})

test('processes that come and go while everything is removed again and again always have theirs', async () => {
  const place = placeOf('a')
  let isOver = false
  const removing = (async () => {
    while (!isOver) await remove({ ...NEVER, unusedMsMax: -Infinity })
  })()
  const use = async (): Promise<void> => {
    for (let turn = 0; turn < 4; turn += 1) {
      const child = await startUser(place, 200)
      const [code] =
        child.exitCode === null ? ((await once(child, 'exit')) as [number]) : [child.exitCode]
      assert.equal(code, 0, 'its environment was gone')
      children.delete(child)
    }
  }
  try {
    await Promise.all([use(), use(), use()])
  } finally {
    isOver = true
    await removing
  }
  await remove({ ...NEVER, unusedMsMax: -Infinity })
  assert.deepEqual(left(), [])
})
