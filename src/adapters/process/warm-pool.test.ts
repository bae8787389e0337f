import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WarmPool } from './warm-pool.ts'

test('a pool that cannot start a process, for the disk is full, tries again later', async () => {
  const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  const delays: number[] = []
  const warnings: string[] = []
  const enough = Promise.withResolvers<void>()
  const pool = new WarmPool(
    { count: 1, command: 'never', arguments: [] },
    {
      installationId: 'i',
      environment: {},
      openFilesMax: 64,
      newInstanceId: () => '0'.repeat(20),
      records: {
        removeInstance: () => undefined,
        prepareInstanceFolder: () => {
          throw full
        },
      },
      logs: {
        openPooled: () => assert.fail('nothing is opened for a process that is not started'),
      },
      clock: {
        nowMs: () => 0,
        sleep: (delayMs) => {
          delays.push(delayMs)
          if (delays.length < 4) return Promise.resolve()
          enough.resolve()
          return new Promise(() => undefined)
        },
      },
      log: { warn: (...args: readonly unknown[]) => void warnings.push(String(args[1])) },
    },
  )
  pool.start()
  await enough.promise
  assert.deepEqual(delays, [0, 300, 1_000, 2_000])
  assert.deepEqual(
    warnings,
    Array.from({ length: 3 }, () => 'warm process not started'),
  )
  pool.close()
})
