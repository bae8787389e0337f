import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseProcessStat } from './process-stat.ts'

/** The first 22 fields of `/proc/PID/stat`, as proc(5) has them. */
const statOf = (command: string, state: string, threadCount: number): string =>
  `71 (${command}) ${state} 1 70 70 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 ${threadCount} 0 123456 0`

test('group and start are read behind a command name that holds anything', () => {
  const stat = parseProcessStat(statOf('a) S 9 (b', 'S', 11))
  assert.deepEqual(stat, { processGroup: 70, startToken: '123456', hasEnded: false })
})

for (const { what, state, threadCount, hasEnded } of [
  { what: 'that sleeps', state: 'S', threadCount: 1, hasEnded: false },
  { what: 'that is stopped', state: 'T', threadCount: 1, hasEnded: false },
  {
    what: 'whose first thread has ended before the others',
    state: 'Z',
    threadCount: 2,
    hasEnded: false,
  },
  { what: 'that nobody has collected', state: 'Z', threadCount: 1, hasEnded: true },
  { what: 'that is being collected', state: 'X', threadCount: 0, hasEnded: true },
]) {
  test(`a process ${what} has ${hasEnded ? '' : 'not '}ended`, () => {
    assert.equal(parseProcessStat(statOf('node', state, threadCount)).hasEnded, hasEnded)
  })
}
