import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { TraceFiles, WAITING_CHARACTERS_MAX } from './trace-files.ts'

const GROUP = { key: '', logFrequency: 0 }

test('what comes faster than it is written is dropped beyond a bound, and said once a burst', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-traces-'))
  const path = join(folder, 'trace.json')
  const lines: string[] = []
  const files = new TraceFiles(path, (_level, event, fields) => {
    lines.push(`${event} ${JSON.stringify(fields)}`)
  })
  const half = JSON.stringify({ id: 1, text: 'x'.repeat(WAITING_CHARACTERS_MAX / 2 - 200) })
  // No write can end between calls that do not wait.
  for (let count = 0; count < 5; count += 1) files.append(GROUP, half)
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /^traces are dropped: .*"waitingCharacters":/)
  files.append(GROUP, '{"id":2}')
  await files.close()
  assert.match(lines[1] ?? '', /^traces were dropped .*"droppedCount":3/)
  assert.equal(lines.length, 2)
  const written: { id: number }[] = JSON.parse(readFileSync(path, 'utf8'))
  assert.deepEqual(
    written.map(({ id }) => id),
    [1, 1, 2],
  )
  rmSync(folder, { recursive: true })
})
