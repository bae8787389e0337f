import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, test } from 'node:test'
import { listenForStop } from './stop-signal.ts'

describe('signals to stop', () => {
  const cases = [
    { given: 'one', signals: [[0, 'SIGTERM']], impatient: [] },
    {
      given: 'one that a group and a launcher sent',
      signals: [
        [0, 'SIGINT'],
        [0, 'SIGINT'],
        [999, 'SIGINT'],
      ],
      impatient: [],
    },
    {
      given: 'a second Ctrl-C, and a third',
      signals: [
        [0, 'SIGINT'],
        [1_000, 'SIGINT'],
        [1_900, 'SIGINT'],
      ],
      impatient: ['SIGINT'],
    },
    {
      given: 'another signal later',
      signals: [
        [0, 'SIGINT'],
        [9000, 'SIGTERM'],
      ],
      impatient: ['SIGTERM'],
    },
  ] as const
  for (const { given, signals, impatient } of cases) {
    test(`${given}: stopped once, left at once by ${impatient.join() || 'none'}`, async () => {
      const source = new EventEmitter()
      let nowMs = 1_000
      const seen: string[] = []
      const stopped = listenForStop({
        source,
        nowMs: () => nowMs,
        onImpatient: (name) => void seen.push(name),
      })
      for (const [atMs, name] of signals) {
        nowMs = 1_000 + atMs
        source.emit(name, name)
      }
      await stopped
      assert.deepEqual(seen, impatient)
    })
  }
})
