import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, mkdir, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import {
  assertCode,
  chunksOf,
  collect,
  testObjectStore,
} from '../../../test/contracts/object-store.ts'
import type { ObjectBody, ObjectStore } from '../../ports/object-store.ts'
import { openFileObjectStore } from './object-store.ts'

const folder = await mkdtemp(join(tmpdir(), 'berth-files-'))
const signal = new AbortController().signal
let rootCount = 0
after(() => rm(folder, { recursive: true, force: true }))

function newRoot(): string {
  rootCount += 1
  return join(folder, String(rootCount))
}

function openAt(root: string): Promise<ObjectStore> {
  return openFileObjectStore({ root, nowMs: () => 1_700_000_000_000 })
}

testObjectStore({ open: () => openAt(newRoot()) })

test('objects lie under recognisable names', async () => {
  const root = newRoot()
  const store = await openAt(root)
  await store.createBucket('models', signal)
  const address = { bucketName: 'models', key: 'digits/v1/model.tar.gz' }
  await store.putObject({ ...address, body: chunksOf(Buffer.from('x')) }, signal)
  assert.deepEqual(await readdir(join(root, 'models/digits/v1')), ['model.tar.gz%object'])
})

test('everything is there after opening again, without what a crash left', async () => {
  const root = newRoot()
  const store = await openAt(root)
  await store.createBucket('models', signal)
  const address = { bucketName: 'models', key: 'a/b' }
  await store.putObject({ ...address, body: chunksOf(Buffer.from('kept')) }, signal)
  const upload = { ...address, uploadId: await store.createUpload(address, {}, signal) }
  await store.putPart({ ...upload, partNumber: 1, body: chunksOf(Buffer.from('p')) }, signal)
  await writeFile(join(root, '.incoming', 'half-written'), 'x')
  await mkdir(join(root, '.incoming', 'half-deleted'))

  const again = await openAt(root)
  assert.deepEqual(await readdir(join(root, '.incoming')), [])
  assert.equal((await again.headObject(address, signal)).sizeBytes, 4)
  assert.equal((await again.listParts(upload, signal)).length, 1, 'an upload survives')
  assert.equal((await again.findBucket('models', signal))?.createdAtMs, 1_700_000_000_000)
})

test('a broken upload leaves no file', async () => {
  const root = newRoot()
  const store = await openAt(root)
  await store.createBucket('models', signal)
  async function* broken(): ObjectBody {
    yield Buffer.alloc(100_000)
    throw new Error('gone')
  }
  await assert.rejects(
    store.putObject({ bucketName: 'models', key: 'a/b', body: broken() }, signal),
    /gone/,
  )
  assert.deepEqual(await readdir(join(root, '.incoming')), [])
  assert.deepEqual(await readdir(join(root, 'models')), ['%bucket'])
})

test('deleting the last object of a folder removes the folder', async () => {
  const root = newRoot()
  const store = await openAt(root)
  await store.createBucket('models', signal)
  const address = { bucketName: 'models', key: 'a/b/c' }
  await store.putObject({ ...address, body: chunksOf(Buffer.from('x')) }, signal)
  await store.deleteObject(address, signal)
  assert.deepEqual(await readdir(join(root, 'models')), ['%bucket'])
})

test('writers and deleters of one folder do not trip over each other', async () => {
  const store = await openAt(newRoot())
  await store.createBucket('models', signal)
  const rounds = Array.from({ length: 60 }, async (_, index) => {
    const address = { bucketName: 'models', key: `same/folder/${index % 6}` }
    await store.putObject({ ...address, body: chunksOf(Buffer.from('x')) }, signal)
    await store.deleteObject(address, signal)
  })
  await Promise.all(rounds)
  await store.deleteBucket('models', signal)
})

test('a damaged object is an error, never other bytes', async () => {
  const root = newRoot()
  const store = await openAt(root)
  await store.createBucket('models', signal)
  const address = { bucketName: 'models', key: 'k' }
  await store.putObject({ ...address, body: chunksOf(Buffer.alloc(1000)) }, signal)
  await truncate(join(root, 'models', 'k%object'), 1010)
  await assert.rejects(store.openObject(address, signal), /damaged/)
})

test('names that a file system would fold are kept apart', async () => {
  const root = newRoot()
  await mkdir(join(root), { recursive: true })
  await writeFile(join(root, 'berth-objects.json'), '{"version":1,"names":"folded"}')
  const store = await openAt(root)
  await store.createBucket('models', signal)
  const keys = ['A/B', 'a/b', 'É', 'é'.repeat(500), 'É'.repeat(500)]
  for (const key of keys) {
    await store.putObject({ bucketName: 'models', key, body: chunksOf(Buffer.from(key)) }, signal)
  }
  const { objects } = await store.listObjects({ bucketName: 'models', entriesMax: 10 }, signal)
  assert.deepEqual(new Set(objects.map(({ key }) => key)), new Set(keys))
  const names = await readdir(join(root, 'models'), { recursive: true })
  assert.equal(new Set(names.map((name) => name.toLowerCase())).size, names.length)
})

const skip = skipTinyDisk()
test(
  'a full disk is said so, leaves nothing, and room that is made is used',
  { skip },
  async () => {
    const root = newRoot()
    await mkdir(root)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', root])
    try {
      const store = await openAt(root)
      await store.createBucket('models', signal)
      const small = { bucketName: 'models', key: 'small' }
      await store.putObject({ ...small, body: chunksOf(Buffer.alloc(1_000_000)) }, signal)
      const body = (): ObjectBody => chunksOf(Buffer.alloc(6_000_000))
      await assertCode(
        store.putObject({ bucketName: 'models', key: 'big', body: body() }, signal),
        'InsufficientStorage',
      )
      const uploadId = await store.createUpload(small, {}, signal)
      const part = { ...small, uploadId, partNumber: 1, body: body() }
      await assertCode(store.putPart(part, signal), 'InsufficientStorage')
      assert.deepEqual(await readdir(join(root, '.incoming')), [])
      const opened = await store.openObject(small, signal)
      assert.equal((await collect(opened.read())).length, 1_000_000)
      await opened.close()
      const fits = chunksOf(Buffer.alloc(2_000_000))
      await store.putObject({ bucketName: 'models', key: 'fits', body: fits }, signal)
    } finally {
      execFileSync('umount', [root])
    }
  },
)

function skipTinyDisk(): string | false {
  const isRoot = process.getuid?.() === 0
  return process.platform === 'linux' && isRoot ? false : 'mounting a tiny disk takes root on Linux'
}
