import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { acquireLock } from './file-lock.ts'

test('the lock has one holder, is given back, and dies with a killed process', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-lock-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'lock')
  const first = acquireLock(file)
  assert.ok(first)
  assert.equal(acquireLock(file), undefined)
  first[Symbol.dispose]()

  const lockModule = new URL('./file-lock.ts', import.meta.url).href
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
