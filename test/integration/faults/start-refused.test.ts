import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, suite, test } from 'node:test'

import { disposeBerth, installationPids, startBerth } from '../../support/berth.ts'
import { runCli } from '../../support/run-cli.ts'
import { describePlatform, serveEndpoint } from '../../support/serving.ts'
import { Load } from '../../support/load.ts'

suite('berth up that cannot start', () => {
  let dataDir: string
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'berth-test-'))
  })
  afterEach(() => rmSync(dataDir, { recursive: true, force: true, maxRetries: 10 }))

  test('a data directory in use: it says so, and the other one serves on', async () => {
    const berth = await startBerth()
    try {
      await serveEndpoint(berth, { name: 'echo' })
      await using load = new Load(berth, 'echo', 2)
      const before = await describePlatform(berth)
      const { exitCode, stderr } = await up('--data-dir', berth.dataDir, '--port', '0')
      assert.equal(exitCode, 1)
      assert.match(stderr, /Another berth up uses .*berth-test-.*\. Stop it, or choose another/)
      await load.untilMoreAnswers()
      const after = await describePlatform(berth)
      assert.deepEqual(pids(after), pids(before))
      await load.stop()
      assert.deepEqual(load.failures, [])
    } finally {
      await disposeBerth(berth)
    }
  })

  test('a port that another program has: it says so and leaves nothing running', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    try {
      const { exitCode, stderr } = await up('--data-dir', dataDir, '--port', String(port))
      assert.equal(exitCode, 1, stderr)
      assert.match(stderr, new RegExp(`Port ${port} on 127.0.0.1 cannot be listened on`))
      assert.match(stderr, /another program has it; choose one with --port/)
      assert.deepEqual(installationPids(dataDir), [])
    } finally {
      await new Promise((resolve) => server.close(resolve))
    }
    // Nothing that was left behind keeps it from starting.
    await disposeBerth(await startBerth({ dataDir, port }))
  })

  test('an address that this machine does not have is named, with the flag to change', async () => {
    const flags = ['--data-dir', dataDir, '--port', '0', '--host', 'no..host']
    const { exitCode, stderr } = await up(...flags)
    assert.equal(exitCode, 1, stderr)
    assert.match(stderr, /on no\.\.host cannot be listened on .*--host/)
    assert.deepEqual(installationPids(dataDir), [])
  })

  test('a file in the place of the data directory is named', async () => {
    const file = join(dataDir, 'file')
    writeFileSync(file, '')
    for (const place of [file, join(file, 'below')]) {
      const { exitCode, stderr } = await up('--data-dir', place, '--port', '0')
      assert.equal(exitCode, 1, stderr)
      assert.match(stderr, /The data directory \S+ cannot be used \(\w+\): a file is where/)
    }
  })

  test('a database that is none: it says so and leaves nothing running', async () => {
    writeFileSync(join(dataDir, 'berth.db'), 'not a database'.repeat(1000))
    const { exitCode, stderr } = await up('--data-dir', dataDir, '--port', '0')
    assert.equal(exitCode, 1, stderr)
    assert.match(stderr, /berth\.db did not answer: it is not a database/)
    assert.deepEqual(installationPids(dataDir), [])
  })

  test('an option out of bounds is named', async () => {
    const environment = { BERTH_GATEWAYS: '0' }
    const { exitCode, stderr } = await runCli(['up', '--data-dir', dataDir], { environment })
    assert.notEqual(exitCode, 0)
    assert.match(stderr, /BERTH_GATEWAYS/)
    assert.deepEqual(installationPids(dataDir), [])
  })
})

function up(...flags: readonly string[]) {
  return runCli(['up', '--json', ...flags])
}

function pids(platform: Awaited<ReturnType<typeof describePlatform>>): readonly number[] {
  const { control, gateways, instances } = platform
  return [control, ...gateways, ...instances].map(({ pid }) => pid)
}
