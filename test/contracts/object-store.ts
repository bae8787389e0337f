import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ErrorCode } from '../../src/domain/errors.ts'
import type { ObjectBody, ObjectStore } from '../../src/ports/object-store.ts'

/** What an adapter gives the suite. */
export interface ObjectStoreUnderTest {
  /** An empty store; called once for each test. */
  readonly open: () => Promise<ObjectStore>
}

const signal = AbortSignal.timeout(600_000)
const MIB = 1024 * 1024
const bucketName = 'b-1'

/** What every object store must do, whatever it is made of. */
export function testObjectStore({ open }: ObjectStoreUnderTest): void {
  test('a bucket is created once, found, listed by name and deleted when empty', async () => {
    const store = await open()
    assert.equal(await store.createBucket('zeta', signal), 'created')
    assert.equal(await store.createBucket('alpha.with-dots', signal), 'created')
    assert.equal(await store.createBucket('zeta', signal), 'existed')
    const names = (await store.listBuckets(signal)).map(({ name }) => name)
    assert.deepEqual(names, ['alpha.with-dots', 'zeta'])
    assert.equal((await store.findBucket('zeta', signal))?.name, 'zeta')

    await put(store, { bucketName: 'zeta', key: 'deep/er/object' }, 'x')
    await assertCode(store.deleteBucket('zeta', signal), 'BucketNotEmpty')
    await store.deleteObject({ bucketName: 'zeta', key: 'deep/er/object' }, signal)
    await store.deleteBucket('zeta', signal)
    assert.equal(await store.findBucket('zeta', signal), undefined)
    await assertCode(store.deleteBucket('zeta', signal), 'NoSuchBucket')
  })

  test('a name that is no bucket name is refused before it becomes a path', async () => {
    const store = await open()
    for (const name of [
      '..',
      '.',
      '',
      'a',
      'A-1',
      '../x',
      'a/b',
      'a..b',
      '1.2.3.4',
      'a'.repeat(64),
    ]) {
      await assertCode(store.createBucket(name, signal), 'InvalidBucketName')
      await assertCode(put(store, { bucketName: name, key: 'k' }, 'x'), 'InvalidBucketName')
    }
  })

  test('an object reads as it was written, with its properties', async () => {
    const store = await openWithBucket(open)
    const address = { bucketName, key: 'models/digits/model.tar.gz' }
    const bytes = randomBytes(3 * MIB + 17)
    const properties = {
      contentType: 'application/x-tar',
      cacheControl: 'no-cache',
      userMetadata: { origin: 'tests' },
      tags: { team: 'ml' },
    }
    const stored = await store.putObject({ ...address, body: chunksOf(bytes), properties }, signal)
    const md5 = createHash('md5').update(bytes).digest('hex')
    assert.equal(stored.etag, md5)
    assert.equal(stored.sizeBytes, bytes.length)
    const metadata = await store.headObject(address, signal)
    assert.deepEqual(metadata.properties, properties)
    assert.equal(metadata.etag, md5)
    assert.ok((await read(store, address.key)).equals(bytes))
  })

  test('an empty object is an object', async () => {
    const store = await openWithBucket(open)
    await put(store, { bucketName, key: 'empty' }, '')
    assert.equal((await store.headObject({ bucketName, key: 'empty' }, signal)).sizeBytes, 0)
    assert.equal((await read(store, 'empty')).length, 0)
  })

  test('ranges read exactly their bytes', async () => {
    const store = await openWithBucket(open)
    const bytes = randomBytes(700_000)
    await store.putObject({ bucketName, key: 'k', body: chunksOf(bytes) }, signal)
    const opened = await store.openObject({ bucketName, key: 'k' }, signal)
    for (const [firstByte, lastByte] of [
      [0, 0],
      [5, 300_000],
      [699_999, 699_999],
      [0, 699_999],
    ] as const) {
      const part = await collect(opened.read({ firstByte, lastByte }))
      assert.ok(part.equals(bytes.subarray(firstByte, lastByte + 1)), `${firstByte}-${lastByte}`)
    }
    await opened.close()
  })

  test('what is not there has a name', async () => {
    const store = await openWithBucket(open)
    await assertCode(store.headObject({ bucketName, key: 'no' }, signal), 'NoSuchKey')
    await assertCode(store.openObject({ bucketName, key: 'no/pe' }, signal), 'NoSuchKey')
    await assertCode(store.headObject({ bucketName: 'other', key: 'no' }, signal), 'NoSuchBucket')
    await assertCode(put(store, { bucketName: 'other', key: 'no' }, 'x'), 'NoSuchBucket')
    await assertCode(
      store.listObjects({ bucketName: 'other', entriesMax: 1 }, signal),
      'NoSuchBucket',
    )
    await store.deleteObject({ bucketName, key: 'no/pe' }, signal)
    await assertCode(store.deleteObject({ bucketName: 'other', key: 'k' }, signal), 'NoSuchBucket')
  })

  test('an opened object stays itself while another takes its key or it is deleted', async () => {
    const store = await openWithBucket(open)
    await put(store, { bucketName, key: 'k' }, 'first')
    const opened = await store.openObject({ bucketName, key: 'k' }, signal)
    await put(store, { bucketName, key: 'k' }, 'second, longer')
    await store.deleteObject({ bucketName, key: 'k' }, signal)
    assert.equal((await collect(opened.read())).toString(), 'first')
    await opened.close()
  })

  test('a body that breaks off leaves the object before it, or none', async () => {
    const store = await openWithBucket(open)
    const cause = new Error('the client went away')
    async function* broken(): ObjectBody {
      yield Buffer.alloc(300_000)
      throw cause
    }
    await put(store, { bucketName, key: 'old' }, 'old')
    for (const key of ['old', 'new']) {
      await assert.rejects(store.putObject({ bucketName, key, body: broken() }, signal), cause)
    }
    assert.equal((await read(store, 'old')).toString(), 'old')
    assert.deepEqual(await keysOf(store), ['old'])
  })

  test('aborting ends a write whose sender stalls', async () => {
    const store = await openWithBucket(open)
    const controller = new AbortController()
    async function* stalled(): ObjectBody {
      yield Buffer.from('x')
      controller.abort()
      await new Promise(() => undefined)
    }
    const write = store.putObject({ bucketName, key: 'k', body: stalled() }, controller.signal)
    await assert.rejects(write, { name: 'AbortError' })
    assert.deepEqual(await keysOf(store), [])
  })

  test('conditions are judged when the write becomes visible', async () => {
    const store = await openWithBucket(open)
    const address = { bucketName, key: 'k' }
    const absent = { kind: 'absent' } as const
    const writes = ['1', '2', '3'].map((text) =>
      store.putObject({ ...address, body: chunksOf(Buffer.from(text)), condition: absent }, signal),
    )
    const settled = await Promise.allSettled(writes)
    assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1)
    const { etag } = await store.headObject(address, signal)
    const onEtag = (expected: string): Promise<unknown> =>
      store.putObject(
        {
          ...address,
          body: chunksOf(Buffer.from('n')),
          condition: { kind: 'etag', etag: expected },
        },
        signal,
      )
    await assertCode(onEtag('0'.repeat(32)), 'PreconditionFailed')
    await onEtag(etag)
    assert.equal((await read(store, 'k')).toString(), 'n')
  })

  test('a copy takes bytes and properties, or new properties', async () => {
    const store = await openWithBucket(open)
    await store.createBucket('b-2', signal)
    const source = { bucketName, key: 'from' }
    await put(store, source, 'bytes', { contentType: 'text/plain', tags: { a: '1' } })
    const target = { bucketName: 'b-2', key: 'to' }
    await store.copyObject({ source, target }, signal)
    assert.equal((await store.headObject(target, signal)).properties.contentType, 'text/plain')
    await store.copyObject({ source, target: source, properties: { contentType: 'x/y' } }, signal)
    assert.deepEqual((await store.headObject(source, signal)).properties, { contentType: 'x/y' })
    await assertCode(
      store.copyObject({ source, target, sourceEtag: 'other' }, signal),
      'PreconditionFailed',
    )
    await assertCode(
      store.copyObject({ source: { bucketName, key: 'none' }, target }, signal),
      'NoSuchKey',
    )
  })

  test('saving tags changes tags only', async () => {
    const store = await openWithBucket(open)
    await put(store, { bucketName, key: 'k' }, 'bytes', { contentType: 'text/plain' })
    const before = await store.headObject({ bucketName, key: 'k' }, signal)
    await store.saveTags({ bucketName, key: 'k' }, { stage: 'prod' }, signal)
    const after = await store.headObject({ bucketName, key: 'k' }, signal)
    assert.deepEqual(after.properties, { contentType: 'text/plain', tags: { stage: 'prod' } })
    assert.equal(after.etag, before.etag)
    assert.equal(after.modifiedAtMs, before.modifiedAtMs)
    assert.equal((await read(store, 'k')).toString(), 'bytes')
  })

  test('keys that look like paths, files of other keys or nothing at all are only keys', async () => {
    const store = await openWithBucket(open)
    const keys = [
      'a',
      'a/',
      'a/b',
      'a//b',
      '/',
      '//',
      '/a',
      '.',
      '..',
      '../../etc/passwd',
      './a',
      'a/.',
      'a/..',
      'a/../b',
      'nul\0byte',
      '\u0001',
      'a%object',
      'a%2Fb',
      '%',
      '%more',
      '%bucket',
      'x%more/y',
      ' ',
      'A',
      'a\\b',
      'C:',
      'é',
      'e\u0301',
      '\u{1f6a2}',
      '\uffee',
      'a+b c?d#e&f',
      'n'.repeat(1024),
      `${'n'.repeat(240)}/x`,
      'n'.repeat(240),
      `${'n'.repeat(240)}-x`,
      '%'.repeat(1024),
      '/'.repeat(1024),
      './'.repeat(512),
      'é'.repeat(512),
      `${'n'.repeat(239)}é..`,
    ]
    for (const key of keys) await put(store, { bucketName, key }, key)
    for (const key of keys) assert.equal((await read(store, key)).toString(), key)
    assert.deepEqual(await keysOf(store), sortUtf8(keys))
    await assertCode(put(store, { bucketName, key: 'n'.repeat(1025) }, ''), 'KeyTooLongError')
    await assertCode(put(store, { bucketName, key: '' }, ''), 'InvalidArgument')
    await assertCode(put(store, { bucketName, key: '\ud800' }, ''), 'InvalidArgument')
    for (const key of keys) await store.deleteObject({ bucketName, key }, signal)
    await store.deleteBucket(bucketName, signal)
  })

  test('any keys list in byte order, in pages, rolled up by any delimiter', async () => {
    const element = fc.string({
      unit: fc.constantFrom('a', 'b', '-', '0', '.', '/', '/', '\uffee', '\u{1f6a2}'),
      minLength: 1,
      maxLength: 7,
    })
    const keySet = fc.uniqueArray(element, { minLength: 1, maxLength: 12 })
    const property = fc.asyncProperty(
      keySet,
      fc.constantFrom('', 'a', 'a/', 'b', '/', 'a/b'),
      fc.constantFrom('', '/', '-', 'a/'),
      fc.integer({ min: 1, max: 4 }),
      async (keys, prefix, delimiter, entriesMax) => {
        const store = await openWithBucket(open)
        for (const key of keys) await put(store, { bucketName, key }, 'x')
        const expected = rollUp(keys, prefix, delimiter)
        assert.deepEqual(await listAll(store, { prefix, delimiter, entriesMax }), expected)
      },
    )
    await fc.assert(property, { numRuns: 60 })
  })

  test('a listing sees what came and went since the page before', async () => {
    const store = await openWithBucket(open)
    for (const key of ['a', 'c', 'e']) await put(store, { bucketName, key }, 'x')
    const first = await store.listObjects({ bucketName, entriesMax: 1 }, signal)
    await put(store, { bucketName, key: 'b/new' }, 'x')
    await store.deleteObject({ bucketName, key: 'c' }, signal)
    const { nextStartAfter: startAfter } = first
    const rest = await store.listObjects({ bucketName, startAfter, entriesMax: 10 }, signal)
    assert.deepEqual(
      rest.objects.map(({ key }) => key),
      ['b/new', 'e'],
    )
  })

  test('parts arrive in any order, replace each other and join by number', async () => {
    const store = await openWithBucket(open)
    const address = { bucketName, key: 'big' }
    const uploadId = await store.createUpload(address, { contentType: 'a/b' }, signal)
    const upload = { ...address, uploadId }
    const parts = [randomBytes(5 * MIB), randomBytes(5 * MIB + 3), randomBytes(10)]
    const etags: string[] = []
    for (const partNumber of [3, 1, 2]) {
      await store.putPart(
        { ...upload, partNumber, body: chunksOf(Buffer.from('replaced')) },
        signal,
      )
      const body = chunksOf(parts[partNumber - 1] ?? Buffer.alloc(0))
      etags[partNumber - 1] = (await store.putPart({ ...upload, partNumber, body }, signal)).etag
    }
    const listed = await store.listParts(upload, signal)
    assert.deepEqual(
      listed.map(({ partNumber, etag }) => ({ partNumber, etag })),
      named(etags),
    )
    assert.deepEqual(await keysOf(store), [], 'nothing is visible before completion')

    const complete = { ...upload, parts: named(etags) }
    const stored = await store.completeUpload(complete, signal)
    const md5s = Buffer.concat(parts.map((part) => createHash('md5').update(part).digest()))
    assert.equal(stored.etag, `${createHash('md5').update(md5s).digest('hex')}-3`)
    assert.ok((await read(store, 'big')).equals(Buffer.concat(parts)))
    assert.equal((await store.headObject(address, signal)).properties.contentType, 'a/b')

    assert.deepEqual(await store.completeUpload(complete, signal), stored, 'repeated')
    await assertCode(store.listParts(upload, signal), 'NoSuchUpload')
  })

  test('a completion that names wrong, small or unordered parts leaves the upload as it was', async () => {
    const store = await openWithBucket(open)
    const address = { bucketName, key: 'k' }
    const upload = { ...address, uploadId: await store.createUpload(address, {}, signal) }
    const etags: string[] = []
    for (const partNumber of [1, 2]) {
      const body = chunksOf(Buffer.from(`small ${partNumber}`))
      etags.push((await store.putPart({ ...upload, partNumber, body }, signal)).etag)
    }
    const [one, two] = named(etags)
    assert.ok(one !== undefined && two !== undefined)
    const completed = (parts: (typeof one)[]): Promise<unknown> =>
      store.completeUpload({ ...upload, parts }, signal)
    await assertCode(completed([one, two]), 'EntityTooSmall')
    await assertCode(completed([two, one]), 'InvalidPartOrder')
    await assertCode(completed([one, { ...two, etag: one.etag }]), 'InvalidPart')
    await assertCode(completed([one, { ...two, partNumber: 7 }]), 'InvalidPart')
    const refused = new Error('not the checksum of the whole')
    async function* refuse(body: ObjectBody): ObjectBody {
      yield* body
      throw refused
    }
    await assert.rejects(
      store.completeUpload({ ...upload, parts: [two], verify: refuse }, signal),
      refused,
    )
    assert.deepEqual(await keysOf(store), [])
    await completed([two])
    assert.equal((await read(store, 'k')).toString(), 'small 2')
  })

  test('an aborted upload is gone, and an id is never a path', async () => {
    const store = await openWithBucket(open)
    const address = { bucketName, key: 'k' }
    const upload = { ...address, uploadId: await store.createUpload(address, {}, signal) }
    await store.putPart({ ...upload, partNumber: 1, body: chunksOf(Buffer.from('x')) }, signal)
    await store.abortUpload(upload, signal)
    const body = chunksOf(Buffer.from('x'))
    await assertCode(store.putPart({ ...upload, partNumber: 1, body }, signal), 'NoSuchUpload')
    for (const uploadId of ['', '..', '../../b-1', upload.uploadId.toUpperCase()]) {
      await assertCode(store.abortUpload({ ...address, uploadId }, signal), 'NoSuchUpload')
    }
    await assertCode(
      store.putPart({ ...upload, partNumber: 10_001, body: chunksOf(Buffer.alloc(0)) }, signal),
      'InvalidArgument',
    )
  })
}

/** Asserts that a promise rejects with a code of the error table. */
export async function assertCode(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(promise, (error: Error) => {
    assert.equal(error.name, code, error.stack)
    return true
  })
}

/** A body in chunks of a socket's size. */
export async function* chunksOf(bytes: Buffer): ObjectBody {
  for (let start = 0; start < bytes.length; start += 65_536) {
    yield bytes.subarray(start, start + 65_536)
  }
}

/** All bytes of a body. */
export async function collect(body: ObjectBody): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function openWithBucket(open: () => Promise<ObjectStore>): Promise<ObjectStore> {
  const store = await open()
  await store.createBucket(bucketName, signal)
  return store
}

async function put(
  store: ObjectStore,
  address: { bucketName: string; key: string },
  text: string,
  properties = {},
): Promise<void> {
  await store.putObject({ ...address, body: chunksOf(Buffer.from(text)), properties }, signal)
}

async function read(store: ObjectStore, key: string): Promise<Buffer> {
  const opened = await store.openObject({ bucketName, key }, signal)
  try {
    return await collect(opened.read())
  } finally {
    await opened.close()
  }
}

async function keysOf(store: ObjectStore): Promise<string[]> {
  const { objects } = await store.listObjects({ bucketName, entriesMax: 1000 }, signal)
  return objects.map(({ key }) => key)
}

function named(etags: readonly string[]): { partNumber: number; etag: string }[] {
  return etags.map((etag, index) => ({ partNumber: index + 1, etag }))
}

function sortUtf8(keys: readonly string[]): string[] {
  return keys.toSorted((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)))
}

/** The model of a listing: sort everything, then roll up. */
function rollUp(keys: readonly string[], prefix: string, delimiter: string): string[] {
  const listed = new Set<string>()
  for (const key of sortUtf8(keys)) {
    if (!key.startsWith(prefix)) continue
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    listed.add(at === -1 ? `object ${key}` : `prefix ${key.slice(0, at + delimiter.length)}`)
  }
  return [...listed]
}

async function listAll(
  store: ObjectStore,
  query: { prefix: string; delimiter: string; entriesMax: number },
): Promise<string[]> {
  const listed: string[] = []
  let startAfter: string | undefined
  do {
    const page = await store.listObjects({ bucketName, startAfter, ...query }, signal)
    const entries = [
      ...page.objects.map(({ key }) => ({ key, text: `object ${key}` })),
      ...page.commonPrefixes.map((key) => ({ key, text: `prefix ${key}` })),
    ]
    assert.ok(entries.length <= query.entriesMax)
    const bytes = (entry: { key: string }): Buffer => Buffer.from(entry.key)
    entries.sort((left, right) => Buffer.compare(bytes(left), bytes(right)))
    listed.push(...entries.map(({ text }) => text))
    startAfter = page.nextStartAfter
  } while (startAfter !== undefined)
  return listed
}
