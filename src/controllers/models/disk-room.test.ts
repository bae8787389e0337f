import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FilesArrival, ModelDisk } from '../../ports/model-disk.ts'
import { DiskRoom } from './disk-room.ts'

const need = { signal: new AbortController().signal }

/** A disk whose archives unpack to `SIZE-NAME`, and on which removing can be held up. */
class HandMadeDisk implements ModelDisk {
  readonly bytesByHash = new Map<string, number>()
  readonly usedByOthers = new Set<string>()
  peakBytes = 0
  #incomingBytes = 0
  /** Called between finding files and giving them to who asked. */
  afterFind: () => Promise<void> = () => Promise.resolve()

  async prepare({ url }: { readonly url: string }, { admitBytes }: FilesArrival) {
    const bytes = Number(url.split('-')[0])
    if (!this.bytesByHash.has(url)) {
      for (let written = 0; written < bytes; written += 10) {
        await admitBytes(10)
        this.#incomingBytes += 10
        this.peakBytes = Math.max(this.peakBytes, this.bytes)
      }
      this.#incomingBytes -= bytes
      this.bytesByHash.set(url, bytes)
    }
    await this.afterFind()
    return { directory: `/models/${url}`, contentHash: url, bytes }
  }

  get bytes(): number {
    return [...this.bytesByHash.values()].reduce((sum, each) => sum + each, this.#incomingBytes)
  }

  measureBytes(contentHash: string): Promise<number> {
    return Promise.resolve(this.bytesByHash.get(contentHash) ?? 0)
  }

  remove(contentHash: string): Promise<boolean> {
    if (this.usedByOthers.has(contentHash)) return Promise.resolve(false)
    this.bytesByHash.delete(contentHash)
    return Promise.resolve(true)
  }

  listUnused(): Promise<readonly { readonly contentHash: string; readonly bytes: number }[]> {
    return Promise.resolve(
      [...this.bytesByHash].map(([contentHash, bytes]) => ({ contentHash, bytes })),
    )
  }
}

function build(loaded: ReadonlySet<string> = new Set()) {
  const disk = new HandMadeDisk()
  const removed: string[] = []
  let nowMs = 0
  const room = new DiskRoom({
    disk,
    bytesMax: 100,
    contentHashesLoaded: () => loaded,
    onRemoved: (contentHash) => removed.push(contentHash),
    nowMs: () => (nowMs += 1),
  })
  return { disk, room, removed }
}

test('what is unpacked at the same time stays within the bound, and what is loaded stays', async () => {
  const { disk, room, removed } = build(new Set(['30-loaded']))
  const loaded = await room.fetch('30-loaded', need)
  loaded[Symbol.dispose]()
  for (let round = 0; round < 10; round += 1) {
    const urls = [`30-a${round}`, `20-b${round}`]
    const held = await Promise.all(urls.map((url) => room.fetch(url, need)))
    for (const files of held) files[Symbol.dispose]()
  }
  assert.ok(disk.peakBytes <= 100, `${disk.peakBytes} bytes`)
  assert.ok(!removed.includes('30-loaded') && disk.bytesByHash.has('30-loaded'))
  assert.ok(removed.length >= 17, removed.join())
})

test('what is held by a load, or used by others, is never removed; then who asks is told why there is no room', async () => {
  const { disk, room, removed } = build()
  using held = await room.fetch('50-held', need)
  const others = await room.fetch('40-others', need)
  others[Symbol.dispose]()
  disk.usedByOthers.add('40-others')
  await assert.rejects(room.fetch('30-next', need), {
    code: 'ServiceUnavailable',
    message: /may take 100 B of the disk \(BERTH_MODEL_DISK_BYTES\)/,
  })
  assert.deepEqual(removed, [])
  disk.usedByOthers.clear()
  using next = await room.fetch('30-next', need)
  assert.deepEqual(removed, ['40-others'])
  assert.deepEqual([held.contentHash, next.contentHash], ['50-held', '30-next'])
})

test('what an earlier content of a model is answered from stays until it is unloaded', async () => {
  const { room, removed } = build()
  const earlier = await room.fetch('60-a', need)
  const { promise: unloaded, resolve } = Promise.withResolvers<void>()
  const keeping = room.keepUntil('60-a', unloaded)
  earlier[Symbol.dispose]()
  await assert.rejects(room.fetch('70-b', need), { code: 'ServiceUnavailable' })
  resolve()
  await keeping
  using next = await room.fetch('70-b', need)
  assert.equal(next.contentHash, '70-b')
  assert.deepEqual(removed, ['60-a'])
})

test('when only loaded models are left, one is unloaded for the one that is asked for', async () => {
  const loaded = new Set(['60-loaded'])
  const { room, removed } = build(loaded)
  const first = await room.fetch('60-loaded', need)
  first[Symbol.dispose]()
  const freeOne = (): Promise<boolean> => Promise.resolve(loaded.delete('60-loaded'))
  using next = await room.fetch('70-next', { ...need, freeOne })
  assert.equal(next.contentHash, '70-next')
  assert.deepEqual(removed, ['60-loaded'])
})

test('files that are removed between being found and being given out are fetched again', async () => {
  const { disk, room, removed } = build()
  const before = await room.fetch('60-a', need)
  before[Symbol.dispose]()
  disk.afterFind = async () => {
    disk.afterFind = () => Promise.resolve()
    const other = await room.fetch('70-b', need)
    other[Symbol.dispose]()
  }
  using again = await room.fetch('60-a', need)
  assert.equal(again.contentHash, '60-a')
  assert.ok(disk.bytesByHash.has('60-a'))
  assert.deepEqual(removed, ['60-a', '70-b'])
})

test('what an earlier life left counts, and goes first', async () => {
  const { disk, room, removed } = build()
  disk.bytesByHash.set('50-left', 50)
  await room.start()
  const first = await room.fetch('40-a', need)
  first[Symbol.dispose]()
  using next = await room.fetch('30-b', need)
  assert.equal(next.contentHash, '30-b')
  assert.deepEqual(removed, ['50-left'])
})
