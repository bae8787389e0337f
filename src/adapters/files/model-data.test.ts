import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import type { Header } from 'tar-stream'
import { chunksOf, collect } from '../../../test/contracts/object-store.ts'
import type { ModelDataSource } from '../../domain/model.ts'
import type { ObjectBody, ObjectStore } from '../../ports/object-store.ts'
import { createModelDataCache } from './model-data.ts'
import type { ModelDataCache } from './model-data.ts'
import { openFileObjectStore } from './object-store.ts'

const folder = await mkdtemp(join(tmpdir(), 'berth-models-'))
const signal = new AbortController().signal
const bucketName = 'b-1'
let count = 0
after(async () => {
  for (const name of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (name.isDirectory()) await chmod(join(name.parentPath, name.name), 0o700)
  }
  await rm(folder, { recursive: true, force: true })
})

interface Given {
  readonly cache: ModelDataCache
  readonly store: ObjectStore
  readonly models: string
  readonly put: (key: string, bytes: Buffer | string) => Promise<void>
  readonly reopen: () => ModelDataCache
  readonly advance: (ms: number) => void
}

async function given(
  limits: { unpackedBytesMax?: number; entriesMax?: number } = {},
): Promise<Given> {
  count += 1
  let nowMs = 1_700_000_000_000
  const models = join(folder, String(count), 'models')
  const store = await openFileObjectStore({
    root: join(folder, String(count), 'objects'),
    nowMs: () => nowMs,
  })
  await store.createBucket(bucketName, signal)
  const reopen = (): ModelDataCache =>
    createModelDataCache({
      modelsDirectory: models,
      objectStore: store,
      nowMs: () => nowMs,
      ownHosts: ['berth.example'],
      ...limits,
    })
  const put = async (key: string, bytes: Buffer | string): Promise<void> => {
    await store.putObject({ bucketName, key, body: chunksOf(Buffer.from(bytes)) }, signal)
  }
  const advance = (ms: number): void => {
    nowMs += ms
  }
  return { cache: reopen(), store, models, put, reopen, advance }
}

type TarEntry = [Partial<Header> & { name: string }, string?]

async function tarOf(entries: TarEntry[]): Promise<Buffer> {
  const archive = pack()
  for (const [header, content = ''] of entries) archive.entry(header, content)
  archive.finalize()
  return collect(archive as unknown as ObjectBody)
}

async function tarGzOf(entries: TarEntry[]): Promise<Buffer> {
  return gzipSync(await tarOf(entries))
}

function archive(key: string): ModelDataSource {
  return { kind: 'archive', url: `s3://${bucketName}/${key}` }
}

function prepare(
  cache: ModelDataCache,
  source: ModelDataSource | undefined,
): Promise<{ directory: string; contentHash: string; bytes: number }> {
  return cache.prepare({ containerName: 'container_1', source }, signal)
}

async function filesOf(directory: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for (const dirent of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(dirent.parentPath, dirent.name)
    const name = path.slice(directory.length + 1)
    files[name] = dirent.isDirectory() ? '/' : await readFile(path, 'utf8')
  }
  return files
}

test('an archive becomes a read-only folder', async () => {
  const { cache, put } = await given()
  const tar = await tarGzOf([
    [{ name: './', type: 'directory' }],
    [{ name: './model.onnx' }, 'weights'],
    [{ name: 'code/run.sh', mode: 0o755 }, '#!/bin/sh'],
    [{ name: 'code/', type: 'directory' }],
    [{ name: 'empty/', type: 'directory' }],
  ])
  await put('m/model.tar.gz', tar)
  const prepared = await prepare(cache, archive('m/model.tar.gz'))
  assert.deepEqual(await filesOf(prepared.directory), {
    'model.onnx': 'weights',
    code: '/',
    'code/run.sh': '#!/bin/sh',
    empty: '/',
  })
  assert.equal(prepared.bytes, 16)
  const modeOf = async (name: string): Promise<number> =>
    (await stat(join(prepared.directory, name))).mode & 0o777
  assert.deepEqual(
    await Promise.all(['.', 'code', 'model.onnx', 'code/run.sh'].map(modeOf)),
    [0o555, 0o555, 0o444, 0o555],
  )
})

test('the same content is one folder, whatever way it came', async () => {
  const { cache, put, models } = await given()
  await put('a.tar.gz', await tarGzOf([[{ name: 'model.onnx' }, 'w']]))
  await put('b.tar.gz', await tarGzOf([[{ name: './model.onnx', mtime: new Date(1) }, 'w']]))
  await put('p/model.onnx', 'w')
  await put('p/', '')
  const sources: ModelDataSource[] = [
    archive('a.tar.gz'),
    archive('b.tar.gz'),
    { kind: 'prefix', url: 's3://b-1/p/' },
    { kind: 'object', url: 's3://b-1/p/model.onnx' },
    { kind: 'object', url: 'https://berth.example:7070/b-1/p/model.onnx' },
    { kind: 'object', url: 'https://b-1.s3.us-east-1.amazonaws.com/p/model.onnx' },
  ]
  const prepared = await Promise.all(sources.map((source) => prepare(cache, source)))
  const directories = new Set(prepared.map(({ directory }) => directory))
  assert.equal(directories.size, 1)
  assert.deepEqual(await readdir(join(models, '.incoming')), [])
})

test('a prefix keeps relative paths; no model data is an empty folder', async () => {
  const { cache, put } = await given()
  for (const key of ['repo/a/config.pbtxt', 'repo/a/1/model.onnx', 'repo/empty/'])
    await put(key, key.includes('.') ? key : '')
  const { directory } = await prepare(cache, { kind: 'prefix', url: 's3://b-1/repo/' })
  assert.deepEqual(Object.keys(await filesOf(directory)).sort(), [
    'a',
    'a/1',
    'a/1/model.onnx',
    'a/config.pbtxt',
    'empty',
  ])
  const none = await prepare(cache, undefined)
  assert.deepEqual(await readdir(none.directory), [])
})

test('what is missing is said as SageMaker says it', async () => {
  const { cache } = await given()
  await assert.rejects(prepare(cache, archive('none.tar.gz')), {
    name: 'ValidationException',
    message:
      'Failed to download model data for container "container_1" from URL: "s3://b-1/none.tar.gz". Please ensure that there is an object located at the URL and that the role passed to CreateModel has permissions to download the object.',
  })
  for (const source of [
    { kind: 'prefix', url: 's3://b-1/none/' },
    { kind: 'object', url: 's3://no-bucket/x' },
  ] as const) {
    await assert.rejects(
      prepare(cache, source),
      /^ValidationException: Failed to download model data/,
    )
  }
})

const refusals: { given: string; entries: TarEntry[]; says: RegExp }[] = [
  {
    given: 'a parent',
    entries: [[{ name: '../evil' }, 'x']],
    says: /"\.\.\/evil" leaves the model directory/,
  },
  { given: 'a parent inside', entries: [[{ name: 'a/../../evil' }, 'x']], says: /leaves/ },
  {
    given: 'an absolute path',
    entries: [[{ name: '/etc/passwd' }, 'x']],
    says: /"\/etc\/passwd" has an absolute path/,
  },
  { given: 'a drive', entries: [[{ name: 'C:\\x' }, 'x']], says: /absolute/ },
  {
    given: 'a symbolic link',
    entries: [[{ name: 'l', type: 'symlink', linkname: '/etc' }]],
    says: /"l" is a symbolic link/,
  },
  {
    given: 'a hard link',
    entries: [[{ name: 'l', type: 'link', linkname: 'x' }]],
    says: /"l" is a hard link/,
  },
  {
    given: 'a device',
    entries: [[{ name: 'd', type: 'character-device' }]],
    says: /"d" is a device/,
  },
  { given: 'a fifo', entries: [[{ name: 'f', type: 'fifo' }]], says: /"f" is a named pipe/ },
  {
    given: 'a name twice',
    entries: [
      [{ name: 'a' }, '1'],
      [{ name: './a' }, '2'],
    ],
    says: /".\/a" appears twice/,
  },
  {
    given: 'a file as folder',
    entries: [
      [{ name: 'a' }, '1'],
      [{ name: 'a/b' }, '2'],
    ],
    says: /"a\/b" uses one name for a file and a folder/,
  },
  {
    given: 'a folder as file',
    entries: [
      [{ name: 'a/b' }, '1'],
      [{ name: 'a' }, '2'],
    ],
    says: /file and a folder/,
  },
  {
    given: 'a deep path',
    entries: [[{ name: `${'d/'.repeat(70)}f` }, '1']],
    says: /deeper than 64/,
  },
  { given: 'a long name', entries: [[{ name: 'n'.repeat(300) }, '1']], says: /too long a name/ },
  {
    given: 'too many bytes',
    entries: [[{ name: 'big' }, 'x'.repeat(5000)]],
    says: /"big" it is larger than the limit of 4096 bytes/,
  },
  {
    given: 'too many entries',
    entries: Array.from({ length: 90 }, (_, at) => [{ name: `f${at}` }, '']),
    says: /more than 80 files/,
  },
]
for (const { given: what, entries, says } of refusals) {
  test(`an archive with ${what} is refused and leaves nothing`, async () => {
    const { cache, put, models } = await given({ unpackedBytesMax: 4096, entriesMax: 80 })
    await put('m.tar.gz', await tarGzOf([[{ name: 'good' }, 'x'], ...entries]))
    await assert.rejects(prepare(cache, archive('m.tar.gz')), (error: Error) => {
      assert.equal(error.name, 'ValidationException')
      assert.match(
        error.message,
        /^Failed to extract model data for container "container_1" from URL: "s3:\/\/b-1\/m\.tar\.gz"\./,
      )
      assert.match(error.message, says)
      return true
    })
    assert.deepEqual(await readdir(models), ['.incoming'])
    assert.deepEqual(await readdir(join(models, '.incoming')), [])
  })
}

const good = await tarGzOf([[{ name: 'model.onnx' }, 'w'.repeat(100_000)]])
const unfit: { given: string; bytes: Buffer; says: RegExp }[] = [
  { given: 'text', bytes: Buffer.from('not an archive'), says: /not a gzip file/ },
  { given: 'nothing', bytes: Buffer.alloc(0), says: /empty/ },
  { given: 'a plain tar', bytes: await tarOf([[{ name: 'a' }, 'x']]), says: /not a gzip file/ },
  { given: 'gzip of text', bytes: gzipSync('x'.repeat(2000)), says: /not a whole tar/ },
  { given: 'gzip of little text', bytes: gzipSync('x'), says: /not a whole tar/ },
  { given: 'half a gzip', bytes: good.subarray(0, good.length / 2), says: /gzip data is damaged/ },
  {
    given: 'half a tar',
    bytes: gzipSync((await tarOf([[{ name: 'a' }, 'x'.repeat(9000)]])).subarray(0, 3000)),
    says: /not a whole tar/,
  },
  {
    given: 'a flipped bit',
    bytes: Buffer.from(good).fill(0x55, good.length - 8, good.length - 4),
    says: /gzip data is damaged/,
  },
]
for (const { given: what, bytes, says } of unfit) {
  test(`${what} where an archive should be is said in words`, async () => {
    const { cache, put, models } = await given()
    await put('m.tar.gz', bytes)
    await assert.rejects(prepare(cache, archive('m.tar.gz')), (error: Error) => {
      assert.match(error.message, says)
      return true
    })
    assert.deepEqual(await readdir(join(models, '.incoming')), [])
  })
}

const badSources: { source: ModelDataSource; says: RegExp }[] = [
  { source: { kind: 'archive', url: 'file:///etc/passwd' }, says: /not an s3:\/\/ or https:\/\// },
  {
    source: { kind: 'archive', url: 'https://elsewhere.example/b-1/x' },
    says: /host elsewhere\.example/,
  },
  { source: { kind: 'archive', url: 's3://b-1' }, says: /names a folder/ },
  { source: { kind: 'archive', url: 'https://berth.example' }, says: /does not name/ },
  { source: { kind: 'archive', url: 's3://b-1/p/' }, says: /names a folder/ },
  { source: { kind: 'prefix', url: 's3://b-1/p' }, says: /does not end in "\/"/ },
  {
    source: { kind: 'prefix', url: 's3://b-1/clash/' },
    says: /uses one name for a file and a folder/,
  },
  { source: { kind: 'prefix', url: 's3://b-1/dots/' }, says: /"\.\.\/x" leaves/ },
  { source: { kind: 'prefix', url: 's3://b-1/gap/' }, says: /element that is empty/ },
  { source: { kind: 'prefix', url: 's3://b-1/slash/' }, says: /ends in "\/" and has content/ },
]
test('sources that cannot be a model directory are refused', async () => {
  const { cache, put } = await given()
  const keys = ['clash/a', 'clash/a/b', 'dots/../x', 'gap/a//b', 'slash/a/']
  for (const key of keys) await put(key, 'x')
  for (const { source, says } of badSources) await assert.rejects(prepare(cache, source), says)
})

test('a new version of the object is new content; the old folder stays until it is unused', async () => {
  const { cache, put, models, advance } = await given()
  await put('m.tar.gz', await tarGzOf([[{ name: 'v' }, '1']]))
  const first = await prepare(cache, archive('m.tar.gz'))
  await put('m.tar.gz', await tarGzOf([[{ name: 'v' }, '2']]))
  const second = await prepare(cache, archive('m.tar.gz'))
  assert.notEqual(second.directory, first.directory)
  assert.deepEqual(await cache.removeUnused(new Set()), [], 'just prepared')
  advance(11 * 60_000)
  assert.deepEqual(await cache.removeUnused(new Set([second.contentHash])), [first.contentHash])
  const names = await readdir(models)
  assert.deepEqual(names.sort(), ['.incoming', second.contentHash, `${second.contentHash}.json`])
})

test('what was made of a model stays as long as the model does', async () => {
  const { cache, put, models, reopen, advance } = await given()
  await put('m.tar.gz', good)
  const { contentHash } = await prepare(cache, archive('m.tar.gz'))
  const ofModel = [`${contentHash}.optimised-1`, `${contentHash}.optimised-1.suspect`]
  const ofNobody = `${'f'.repeat(64)}.optimised-1`
  for (const name of [...ofModel, ofNobody]) await mkdir(join(models, name))
  await writeFile(join(models, `${contentHash}.optimised-2.json`), '{}')
  await chmod(join(models, ofModel[0] ?? ''), 0o555)

  const reopened = reopen()
  await prepare(reopened, archive('m.tar.gz'))
  const kept = [contentHash, `${contentHash}.json`, ...ofModel, `${contentHash}.optimised-2.json`]
  assert.deepEqual((await readdir(models)).sort(), ['.incoming', ...kept.sort()])

  advance(11 * 60_000)
  assert.deepEqual(await reopened.removeUnused(new Set()), [contentHash])
  assert.deepEqual(await readdir(models), ['.incoming'])
})

test('after a restart the folder is used again and leftovers are gone', async () => {
  const { cache, put, models, reopen } = await given()
  await put('m.tar.gz', good)
  const { directory, contentHash } = await prepare(cache, archive('m.tar.gz'))
  const inode = (await stat(directory)).ino
  const unfinished = 'f'.repeat(64)
  await mkdir(join(models, unfinished))
  await writeFile(join(models, `${'e'.repeat(64)}.json`), '{}')
  await mkdir(join(models, '.incoming', 'x'))
  const again = await prepare(reopen(), archive('m.tar.gz'))
  assert.equal(again.contentHash, contentHash)
  assert.equal((await stat(again.directory)).ino, inode)
  assert.deepEqual((await readdir(models)).sort(), [
    '.incoming',
    contentHash,
    `${contentHash}.json`,
  ])
  assert.deepEqual(await readdir(join(models, '.incoming')), [])
})

test('one who leaves does not stop the others', async () => {
  const { cache, put } = await given()
  await put('m.tar.gz', good)
  const controller = new AbortController()
  const request = { containerName: 'c', source: archive('m.tar.gz') }
  const leaving = cache.prepare(request, controller.signal)
  const staying = prepare(cache, archive('m.tar.gz'))
  controller.abort()
  await assert.rejects(leaving, { name: 'AbortError' })
  assert.equal((await staying).bytes, 100_000)
})

test('who asks for room is asked before each part is written, and his refusal leaves nothing', async () => {
  const { cache, put, models } = await given()
  await put('m.tar.gz', good)
  let admittedBytes = 0
  const admitBytes = (bytes: number): Promise<void> => {
    admittedBytes += bytes
    return admittedBytes > 50_000 ? Promise.reject(new Error('no room')) : Promise.resolve()
  }
  const request = { containerName: 'c', source: archive('m.tar.gz'), admitBytes }
  await assert.rejects(cache.prepare(request, signal), /no room/)
  assert.deepEqual(await readdir(models), ['.incoming'])
  assert.deepEqual(await readdir(join(models, '.incoming')), [])
  admittedBytes = -50_000
  const { contentHash } = await cache.prepare(request, signal)
  assert.equal(admittedBytes, 50_000)
  const bytes = await cache.measureBytes(contentHash)
  assert.ok(bytes >= 100_000 && bytes < 200_000, `${bytes} bytes on the disk`)
})

test('a folder is removed at the word of its only user, and stays when another has just asked for it', async () => {
  const { cache, put, models, advance } = await given()
  await put('m.tar.gz', good)
  const admitBytes = (): Promise<void> => Promise.resolve()
  const own = { containerName: 'c', source: archive('m.tar.gz'), admitBytes }
  const { contentHash } = await cache.prepare(own, signal)
  assert.equal(await cache.remove(contentHash), true)
  assert.deepEqual(await readdir(models), ['.incoming'])
  assert.equal(await cache.measureBytes(contentHash), 0)

  await cache.prepare(own, signal)
  await prepare(cache, archive('m.tar.gz'))
  assert.equal(await cache.remove(contentHash), false)
  assert.deepEqual(await cache.listHashes(), [contentHash])
  advance(11 * 60_000)
  assert.equal(await cache.remove(contentHash), true)
})
