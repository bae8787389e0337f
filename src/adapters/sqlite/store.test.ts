import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { isBerthError } from '../../domain/errors.ts'
import {
  aModel,
  anEndpoint,
  anEvent,
  aQuery,
  storeContract,
} from '../../../test/contracts/store.ts'
import { createSqliteStore } from './store.ts'

const folder = mkdtempSync(join(tmpdir(), 'berth-sqlite-'))
after(() => rmSync(folder, { recursive: true, force: true }))

let fileCount = 0
function freshPath(): string {
  fileCount += 1
  return join(folder, `${fileCount}.db`)
}

storeContract('sqlite (file)', async () => createSqliteStore({ path: freshPath() }))
storeContract('sqlite (memory)', async () => createSqliteStore({ path: ':memory:' }))

describe('a sqlite store on its file', () => {
  test('what was written is there after a reopen', async () => {
    const path = freshPath()
    const first = createSqliteStore({ path })
    await first.insertModel(aModel('Kept'), { k: 'v' })
    await first.insertEndpoint(anEndpoint('Kept'), {})
    await first.recordEvent(anEvent('kept', 1))
    await first.close()

    const second = createSqliteStore({ path })
    assert.equal((await second.findModel('kept'))?.name, 'Kept')
    assert.deepEqual(await second.findTags(aModel('kept').arn), { k: 'v' })
    assert.equal((await second.listEvents('kept', 10)).length, 1)
    await second.close()
  })

  test('what was written is there though nobody closed it', async () => {
    const path = freshPath()
    const first = createSqliteStore({ path })
    await first.insertModel(aModel('acknowledged'), {})
    const second = createSqliteStore({ path })
    assert.equal((await second.findModel('acknowledged'))?.name, 'acknowledged')
    await second.close()
    await first.close()
  })

  test('a database of a newer Berth is refused in words and left alone', () => {
    const path = freshPath()
    const db = new DatabaseSync(path)
    db.exec('PRAGMA user_version = 99')
    db.close()
    assert.throws(
      () => createSqliteStore({ path }),
      (error) =>
        isBerthError(error) && /schema version 99.*newer Berth wrote it/.test(error.message),
    )
  })

  test('a file that is no database is refused in words', () => {
    const path = freshPath()
    writeFileSync(path, 'not a database, but long enough to be looked at as one '.repeat(40))
    assert.throws(
      () => createSqliteStore({ path }),
      (error) => isBerthError(error) && error.message.includes('it is not a database'),
    )
  })

  test('the events of all endpoints together are bounded', async () => {
    const eventBounds = { perEndpointMax: 300, totalMax: 100 }
    const store = createSqliteStore({ path: ':memory:', eventBounds })
    await store.insertEndpoint(anEndpoint('first'), {})
    await store.insertEndpoint(anEndpoint('second'), {})
    for (let atMs = 0; atMs < 257; atMs += 1) await store.recordEvent(anEvent('first', atMs))
    for (let atMs = 0; atMs < 257; atMs += 1) await store.recordEvent(anEvent('second', atMs))
    const counts = await Promise.all(
      ['first', 'second'].map(async (name) => (await store.listEvents(name, 1000)).length),
    )
    assert.ok((counts[0] ?? 0) + (counts[1] ?? 0) <= 100 + 256, `kept ${counts.join(' + ')}`)
    assert.equal((await store.listEvents('second', 1))[0]?.atMs, 256)
    await store.close()
  })

  test('ten thousand of a noun are listed without reading all of their documents', async () => {
    const path = freshPath()
    await createSqliteStore({ path }).close()
    fillWithEndpoints(path, 10_000)
    const store = createSqliteStore({ path })
    const lists = [
      aQuery(),
      aQuery({ sortBy: 'Status', descending: false, limit: 100 }),
      aQuery({ nameContains: 'endpoint-99' }),
      aQuery({ status: 'InService' }),
      aQuery({ status: 'Failed', nameContains: '0' }),
    ]
    const db = new DatabaseSync(path)
    const all = db.prepare(
      "SELECT document FROM endpoints ORDER BY json_extract(document, '$.createdAtMs')",
    )
    const allMs = await shortestMs(async () => all.all())
    db.close()
    for (const query of lists) {
      const tookMs = await shortestMs(() => store.listEndpoints(query))
      assert.ok(tookMs < allMs / 2, `${JSON.stringify(query)}: ${tookMs} of ${allMs} ms`)
    }
    assert.equal((await store.findEndpoint('ENDPOINT-9999'))?.name, 'endpoint-9999')
    await store.close()
  })
})

describe('a sqlite store on a full disk', () => {
  test('refuses the write in words, keeps what it has, and works again when there is room', async (t) => {
    const disk = mountSmallDisk(t)
    if (disk === undefined) return
    const path = join(disk, 'berth.db')
    const store = createSqliteStore({ path })
    await store.insertModel(aModel('before'), { k: 'v' })
    await store.insertEndpoint(anEndpoint('before'), {})

    const ballast = join(disk, 'ballast')
    fillDisk(disk, ballast)
    const written = await writeUntilRefused(store)

    assert.equal((await store.findModel('before'))?.name, 'before')
    await store.recordEvent(anEvent('before', 1))
    await store.recordEvent({ ...anEvent('before', 2), reason: 'x'.repeat(100_000) })

    rmSync(ballast)
    assert.equal(await store.insertModel(aModel('after'), {}), true)
    for (const name of written) assert.equal((await store.findModel(name))?.name, name)
    await store.close()
    const db = new DatabaseSync(path)
    assert.deepEqual({ ...db.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' })
    db.close()
  })
})

async function writeUntilRefused(store: ReturnType<typeof createSqliteStore>): Promise<string[]> {
  const written: string[] = []
  for (let at = 0; at < 2000; at += 1) {
    const name = `filler-${at}`
    const model = { ...aModel(name), request: { Filler: 'x'.repeat(20_000) } }
    try {
      await store.insertModel(model, {})
      written.push(name)
    } catch (error) {
      assert.ok(isBerthError(error))
      assert.equal(error.code, 'InsufficientStorage')
      assert.match(error.message, /^The disk that holds .* is full; nothing was changed\.$/)
      assert.equal(await store.findModel(name), undefined)
      return written
    }
  }
  assert.fail('the disk never became full')
}

function mountSmallDisk(t: TestContext): string | undefined {
  const disk = mkdtempSync(join(tmpdir(), 'berth-full-'))
  const remove = (): void => rmSync(disk, { recursive: true, force: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], { stdio: 'pipe' })
  } catch (error) {
    remove()
    const reason = `no small disk can be mounted here: ${String(error).split('\n')[0]}`
    assert.equal(process.env['CI'], undefined, reason)
    t.skip(reason)
    return undefined
  }
  t.after(() => {
    execFileSync('umount', [disk])
    remove()
  })
  return disk
}

function fillDisk(disk: string, ballast: string): void {
  const { bavail, bsize } = statfsSync(disk)
  writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail - 16) * bsize))
}

// Straight into the file: ten thousand durable transactions would take longer than what is tested.
// Compared with another of the same moments, never with a number of milliseconds: machines differ.
async function shortestMs(work: () => Promise<unknown>): Promise<number> {
  let shortest = Infinity
  for (let count = 0; count < 7; count += 1) {
    const startedAtMs = performance.now()
    await work()
    shortest = Math.min(shortest, performance.now() - startedAtMs)
  }
  return shortest
}

function fillWithEndpoints(path: string, count: number): void {
  const db = new DatabaseSync(path)
  const insert = db.prepare(
    `INSERT INTO endpoints (name_key, name, arn, created_at_ms, modified_at_ms, status, endpoint_id,
     revision, document) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  db.exec('BEGIN')
  for (let at = 0; at < count; at += 1) {
    const endpoint = anEndpoint(`endpoint-${at}`, { status: 'InService' })
    const { name, arn, endpointId, status } = endpoint
    insert.run(name, name, arn, at, at, status, endpointId, 1, JSON.stringify(endpoint))
  }
  db.exec('COMMIT')
  db.close()
}
