import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

test('the example of a look-up before a model tells its story to the end', async () => {
  const run = join(import.meta.dirname, '../../examples/features/run.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [run])
  assert.match(stdout, /89 held-out patients: mean error 42\.069; train\.py counted 42\.069\n/)
  assert.match(stdout, /→ 404 There is no patient patient-999\.\n/)
})
