import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'

import { loadOrCreateCredentials } from './credentials.ts'
import { prepareFolders } from './folders.ts'
import { dataPathsOf } from '../../platform/data-paths.ts'

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

for (const { given, at: place, reason } of [
  { given: 'a system folder that takes no new ones', at: '/proc/berth/data', reason: /./ },
  { given: 'a file', at: 'file/data', reason: /a file is where it, or a folder of it, should be/ },
] as const) {
  test(`a data directory below ${given} is refused at once`, () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'file'), '')
    const dataDir = resolve(folder.path, place)
    assert.throws(
      () => prepareFolders(dataPathsOf(dataDir)),
      (error: Error) => {
        assert.ok(
          error.message.startsWith(`The data directory ${dataDir} cannot be used (`),
          error.message,
        )
        assert.match(error.message, reason)
        return true
      },
    )
  })
}

test('folders of a data directory are made, private, where only some of them are there', () => {
  using folder = temporaryFolder()
  const paths = dataPathsOf(join(folder.path, 'deep/data'))
  prepareFolders(paths)
  rmSync(paths.instances, { recursive: true })
  prepareFolders(paths)
  for (const path of [paths.dataDir, paths.instances, paths.gateways]) {
    assert.equal(statSync(path).mode & 0o777, 0o700)
  }
})
