import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { PoolMember } from './pool-member.ts'

test('an answer that came while this process was held up counts, however late it is read', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-pool-member-'))
  const program = join(folder, 'program.mjs')
  const answered = join(folder, 'answered')
  writeFileSync(
    program,
    `import { writeFileSync } from 'node:fs'
     const leaveFile = () => writeFileSync(${JSON.stringify(answered)}, '')
     process.on('message', () => process.send({ kind: 'assigned' }, leaveFile))
     process.send({ kind: 'ready' })`,
  )
  const child = fork(program)
  t.after(() => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  })
  const logPath = join(folder, 'log')
  const member = new PoolMember({ instanceId: 'i', logPath, startedAtMs: 0, child, answerMsMax: 1 })
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>()
  member.watch(resolve, (reason) => reject(new Error(reason)))
  await ready
  const assigning = member.assign({ arguments: [], environment: {} })
  // Nothing is read meanwhile, and the time is over.
  const sinceMs = performance.now()
  const heldUpMs = (): number => performance.now() - sinceMs
  while (!existsSync(answered) || heldUpMs() < 10) {
    assert.ok(heldUpMs() < 60_000, 'it did not answer')
  }
  assert.equal(await assigning, child)
})
