import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'

const SRC = resolve(import.meta.dirname, '../src')

// Row imports column; anything not listed is forbidden. The drawing is in ARCHITECTURE.md.
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  domain: ['domain'],
  wire: ['wire', 'domain'],
  ports: ['ports', 'domain'],
  platform: ['platform', 'ports', 'domain'],
  control: ['control', 'domain', 'wire', 'ports', 'platform'],
  gateway: ['gateway', 'domain', 'wire', 'ports', 'platform'],
  controllers: ['controllers', 'domain', 'wire', 'ports', 'platform'],
  modelserver: ['modelserver', 'domain', 'wire', 'platform'],
  adapters: ['domain', 'ports', 'platform'],
  cli: ['cli', 'wire', 'domain', 'platform'],
}

// Single exceptions to the table, each with its reason.
const ALLOWED_EDGES: Readonly<Record<string, string>> = {
  'cli/up.ts → main.ts':
    'berth up runs the platform in its own process; every other command speaks HTTP',
  'adapters/gateway-link → wire/link.ts': 'both ends of the link share one codec',
  ...Object.fromEntries(
    ['transport.ts', 'http-transport.ts', 'frames/frame-transport.ts'].map((file) => [
      `modelserver/graph → gateway/${file}`,
      'a graph calls containers as a gateway does, over the same two transports',
    ]),
  ),
}

const PURE = /^domain\/|(^|\/)(plan|choose|decide)\.ts$/

interface SourceFile {
  /** Relative to src/. */
  readonly path: string
  readonly text: string
  /** Targets of relative imports, relative to src/. */
  readonly imports: readonly string[]
}

test('rooms import only what the table allows', () => {
  const broken = sourceFiles()
    .filter(({ path }) => path.includes('/'))
    .flatMap(({ path, imports }) =>
      imports.filter((target) => !isAllowed(path, target)).map((target) => `${path} → ${target}`),
    )
  assert.deepEqual(broken, [])
})

test('rooms other than those in the table do not exist', () => {
  const rooms = readdirSync(SRC, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  assert.deepEqual(
    rooms.map(({ name }) => name).filter((name) => !(name in MAY_IMPORT)),
    [],
  )
})

test('every room says in a README what it is, in at most 20 lines', () => {
  for (const room of Object.keys(MAY_IMPORT)) {
    const readme = join(SRC, room, 'README.md')
    assert.ok(existsSync(readme), `src/${room}/README.md is missing`)
    const lines = readFileSync(readme, 'utf8').trimEnd().split('\n').length
    assert.ok(lines <= 20, `src/${room}/README.md has ${lines} lines`)
  }
})

test('deciding code has no clock, no chance and no world', () => {
  const impure = /\bMath\.random\b|\bnew Date\(\)|\bDate\.now\b|from 'node:/
  const broken = sourceFiles()
    .filter(({ path, text }) => PURE.test(path) && !path.endsWith('.test.ts') && impure.test(text))
    .map(({ path }) => path)
  assert.deepEqual(broken, [])
})

test('no room has a barrel', () => {
  const barrels = sourceFiles().filter(({ path }) => /.\/index\.ts$/.test(path))
  assert.deepEqual(
    barrels.map(({ path }) => path),
    [],
  )
})

function isAllowed(from: string, target: string): boolean {
  const room = roomOf(from)
  const targetRoom = roomOf(target)
  if (room === 'adapters' && targetRoom === 'adapters') return adapterOf(from) === adapterOf(target)
  if (MAY_IMPORT[room]?.includes(targetRoom)) return true
  // A contract suite lives in test/ and is run by each adapter's own test.
  if (from.endsWith('.test.ts') && target.startsWith('../test/')) return true
  const edges = [`${from} → ${target}`, `${adapterOf(from)} → ${target}`]
  return edges.some((edge) => edge in ALLOWED_EDGES)
}

function roomOf(path: string): string {
  return path.split('/')[0] ?? ''
}

function adapterOf(path: string): string {
  return path.split('/').slice(0, 2).join('/')
}

function sourceFiles(): readonly SourceFile[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => {
      const text = readFileSync(join(SRC, path), 'utf8')
      const targets = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(([, to]) =>
        relative(SRC, resolve(SRC, dirname(path), to ?? '')),
      )
      return { path, text, imports: targets }
    })
}
