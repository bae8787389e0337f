import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { loadOrCreateCredentials } from './credentials.ts'
import { acquireLock } from './lock.ts'

const at = { accountId: '000000000000', region: 'us-east-1' }

function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'berth-installation-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

test('credentials are made once, kept private and stay the same', () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'credentials')
  const first = loadOrCreateCredentials(file, at)
  assert.match(first.accessKeyId, /^AKIA[A-Z2-7]{16}$/)
  assert.equal(first.secretAccessKey.length, 40)
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.deepEqual(loadOrCreateCredentials(file, at), first)
})

test('another region keeps the keys', () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'credentials')
  const first = loadOrCreateCredentials(file, at)
  const moved = loadOrCreateCredentials(file, { ...at, region: 'eu-west-1' })
  assert.deepEqual(moved, { ...first, region: 'eu-west-1' })
  assert.deepEqual(loadOrCreateCredentials(file, { ...at, region: 'eu-west-1' }), moved)
})

test('a damaged credentials file is refused, not replaced', () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'credentials')
  writeFileSync(file, '{"accessKeyId":"AKIA"}')
  assert.throws(() => loadOrCreateCredentials(file, at), /has no "secretAccessKey"/)
})

test('the lock has one holder, is given back, and dies with a killed process', async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'lock')
  const first = acquireLock(file)
  assert.ok(first)
  assert.equal(acquireLock(file), undefined)
  first[Symbol.dispose]()

  const lockModule = new URL('./lock.ts', import.meta.url).href
  const program = `import(${JSON.stringify(lockModule)}).then((m) => {
    globalThis.lock = m.acquireLock(${JSON.stringify(file)}); console.log('held'); setInterval(() => {}, 1e6) })`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  assert.equal(acquireLock(file), undefined)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const again = acquireLock(file)
  assert.ok(again)
  again[Symbol.dispose]()
})
