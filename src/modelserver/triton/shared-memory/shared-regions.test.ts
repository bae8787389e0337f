import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { SharedRegions } from './shared-regions.ts'

const BYTES = 4096

test('a link in the folder of shared memory leads nowhere', () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-shared-'))
  const key = `/berth-test-${randomUUID()}`
  const link = `/dev/shm${key}`
  try {
    writeFileSync(join(folder, 'secret'), new Uint8Array(BYTES))
    symlinkSync(join(folder, 'secret'), link)
    const regions = new SharedRegions(true)
    const region = { name: 'r', key, offset: 0, byte_size: BYTES }
    assert.throws(() => regions.register(region), {
      message: `Unable to open shared memory region: '${key}'`,
    })
    rmSync(link)
    writeFileSync(link, new Uint8Array(BYTES))
    regions.register(region)
    const part = { region: 'r', offset: 0n, byteSize: BigInt(BYTES) }
    assert.deepEqual(regions.read(part), new Uint8Array(BYTES))
    regions.unregister('r')
  } finally {
    rmSync(link, { force: true })
    rmSync(folder, { recursive: true })
  }
})
