import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'

// What lies between two ages must not depend on when each is set.
const LOADED_AT_S = Date.now() / 1000
const LAUNCHER = join(import.meta.dirname, '../../bin/berth.js')

let folder: string
before(() => void (folder = mkdtempSync(join(tmpdir(), 'berth-launcher-'))))
after(() => rmSync(folder, { recursive: true, force: true }))

describe('which program runs', () => {
  const cases = [
    { given: 'an installed package', sourceAge: undefined, builtAge: 10, runs: 'built' },
    {
      given: 'a checkout that was never built',
      sourceAge: 10,
      builtAge: undefined,
      runs: 'source',
    },
    { given: 'a build newer than the source', sourceAge: 20, builtAge: 10, runs: 'built' },
    { given: 'source newer than the build', sourceAge: 10, builtAge: 20, runs: 'source' },
  ]
  for (const { given, sourceAge, builtAge, runs } of cases) {
    test(`given ${given}: the ${runs} one`, () => {
      const root = createPackage({ 'src/cli/main.ts': sourceAge, 'dist/cli/main.js': builtAge })
      const output = execFileSync(process.execPath, [join(root, 'bin/berth.js')], {
        encoding: 'utf8',
      })
      assert.equal(output, runs)
    })
  }
})

const olderNode = findOlderNode()
describe(
  'on an older Node',
  { skip: olderNode === undefined && 'no Node below 24 on the PATH' },
  () => {
    const node = olderNode ?? ''

    test('the Node that npm brought runs the command; output and exit code come through', () => {
      const version = spawnSync(node, [LAUNCHER, '--version'], { encoding: 'utf8' })
      assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/)
      assert.equal(version.status, 0)
      const unknown = spawnSync(node, [LAUNCHER, 'frobnicate'], { encoding: 'utf8' })
      assert.match(unknown.stderr, /unknown command/)
      assert.equal(unknown.status, 2)
    })

    test('SIGTERM reaches the platform, which stops in order', async () => {
      const stopped = await runUntilReady(node, (berth) => berth.kill('SIGTERM'))
      assert.deepEqual(stopped, { ended: [0, null], events: ['ready', 'stopping', 'stopped'] })
    })

    test('a signal to the whole group, which the launcher passes on as well, is one', async () => {
      const stopped = await runUntilReady(node, ({ pid = 0 }) => process.kill(-pid, 'SIGINT'))
      assert.deepEqual(stopped, { ended: [0, null], events: ['ready', 'stopping', 'stopped'] })
    })

    test('without a newer Node it says what is missing', () => {
      const root = createPackage({ 'dist/cli/main.js': 10 })
      const result = spawnSync(node, [join(root, 'bin/berth.js')], { encoding: 'utf8' })
      assert.equal(result.status, 1)
      assert.match(result.stderr, /Berth needs Node 24 or newer; this is v\d+/)
    })
  },
)

/** What `berth up` said, and how it ended, when this was done as soon as it was ready. */
async function runUntilReady(node: string, whenReady: (berth: ChildProcess) => void) {
  const args = [LAUNCHER, 'up', '--json', '--port', '0', '--data-dir', join(folder, 'data')]
  const berth = spawn(node, args, { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  const exited = once(berth, 'exit')
  const events: string[] = []
  for await (const line of createInterface({ input: berth.stdout })) {
    events.push(JSON.parse(line).event)
    if (events.at(-1) === 'ready') whenReady(berth)
  }
  return { ended: await exited, events }
}

/** A package with the launcher and programs that say which they are, each as many seconds old as given. */
function createPackage(ageByPath: Readonly<Record<string, number | undefined>>): string {
  const root = mkdtempSync(join(folder, 'package-'))
  mkdirSync(join(root, 'bin'))
  copyFileSync(LAUNCHER, join(root, 'bin/berth.js'))
  writeFileSync(join(root, 'package.json'), '{"type":"module"}')
  backdate(join(root, 'package.json'), 60)
  for (const [path, age] of Object.entries(ageByPath)) {
    if (age === undefined) continue
    const [top = '', room = ''] = path.split('/')
    mkdirSync(join(root, top, room), { recursive: true })
    const text = top === 'src' ? 'source' : 'built'
    writeFileSync(join(root, path), `process.stdout.write('${text}')`)
    for (const each of [path, join(top, room), top]) backdate(join(root, each), age)
  }
  return root
}

function backdate(path: string, seconds: number): void {
  const at = LOADED_AT_S - seconds
  utimesSync(path, at, at)
}

function findOlderNode(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders
    .map((each) => join(each, 'node'))
    .filter((path) => !path.includes('node_modules') && existsSync(path))
    .find((path) => {
      const version = execFileSync(path, ['--version'], { encoding: 'utf8' })
      return Number(version.slice(1).split('.')[0]) < 24
    })
}
