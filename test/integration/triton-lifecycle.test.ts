import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { spawnTriton, startTriton, TestRepository } from '../support/triton-server.ts'
import type { RunningTriton } from '../support/triton-server.ts'
import { until } from '../support/until.ts'

const EXPLICIT = '--model-control-mode=explicit'
const AFFINE = { fixture: 'affine.onnx' }
const ROW = { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], data: [1, 2, 3] }] }

async function withServer(
  repository: TestRepository,
  flags: readonly string[],
  run: (server: RunningTriton) => Promise<void>,
): Promise<void> {
  const server = await startTriton(repository.path, flags)
  try {
    await run(server)
  } finally {
    await server.stop()
  }
}

async function indexOf(server: RunningTriton): Promise<unknown> {
  return (await server.send('POST', '/v2/repository/index')).json
}

function load(server: RunningTriton, model: string, parameters: object = {}) {
  return server.send('POST', `/v2/repository/models/${model}/load`, { parameters })
}

function unload(server: RunningTriton, model: string) {
  return server.send('POST', `/v2/repository/models/${model}/unload`, {})
}

test('by request models are loaded and unloaded, and the index says how they are', async () => {
  using repository = new TestRepository({
    'affine/1/model.onnx': AFFINE,
    'broken/1/model.onnx': { text: 'not a model' },
    'empty/config.txt': { text: '' },
  })
  await withServer(repository, [EXPLICIT], async (server) => {
    assert.deepEqual(await indexOf(server), [
      { name: 'affine' },
      { name: 'broken' },
      { name: 'empty' },
    ])
    const early = await server.send('POST', '/v2/models/affine/infer', ROW)
    assert.equal(early.status, 404)

    assert.equal((await load(server, 'affine')).status, 200)
    assert.equal((await server.send('POST', '/v2/models/affine/infer', ROW)).status, 200)

    const broken = await load(server, 'broken')
    assert.equal(broken.status, 400)
    assert.match(
      (broken.json as { error: string }).error,
      /^load failed for model 'broken': version 1 is at UNAVAILABLE state: Internal: .*not a valid ONNX file.*;\n$/s,
    )
    const empty = await load(server, 'empty')
    assert.match(
      empty.text,
      /at least one version must be available under the version policy of model 'empty'/,
    )
    const unknown = await load(server, 'unknown')
    assert.deepEqual(
      [unknown.status, unknown.json],
      [500, { error: "failed to load 'unknown', failed to poll from model repository" }],
    )
    assert.equal((await server.send('GET', '/v2/health/ready')).status, 400)

    assert.equal((await unload(server, 'affine')).status, 200)
    assert.equal((await unload(server, 'unknown')).status, 200)
    await until('the model is gone', async () =>
      JSON.stringify(await indexOf(server)).includes(
        '{"name":"affine","version":"1","state":"UNAVAILABLE","reason":"unloaded"}',
      ),
    )
    const gone = await server.send('POST', '/v2/models/affine/infer', ROW)
    assert.deepEqual(gone.json, {
      error: "Request for unknown model: 'affine' has no available versions",
    })
    const ready = await server.send('POST', '/v2/repository/index', { ready: true })
    assert.deepEqual(ready.json, [])
  })
})

test('a model is replaced while it serves, and no request fails', async () => {
  using repository = new TestRepository({ 'model/1/model.onnx': AFFINE })
  await withServer(repository, [EXPLICIT, '--load-model=*'], async (server) => {
    const versions = new Set<string>()
    let isOver = false
    const asking = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const { status, text, json } = await server.send('POST', '/v2/models/model/infer', ROW)
        assert.equal(status, 200, text)
        versions.add((json as { model_version: string }).model_version)
      }
    })
    for (const version of [2, 3, 4]) {
      repository.write({ [`model/${version}/model.onnx`]: AFFINE })
      assert.equal((await load(server, 'model')).status, 200)
    }
    repository.write({ 'model/5/model.onnx': { text: 'not a model' } })
    assert.equal((await load(server, 'model')).status, 400)
    await until('an answer of the last good one', () => versions.has('4'))
    isOver = true
    await Promise.all(asking)
    assert.ok(!versions.has('5'), [...versions].join())
    const { json } = await server.send('GET', '/v2/models/model')
    assert.deepEqual((json as { versions: string[] }).versions, ['4'])
  })
})

test('files that come with a load stand instead of the folder until the next plain load', async (t) => {
  using repository = new TestRepository({ 'affine/1/model.onnx': AFFINE })
  const scratch = mkdtempSync(join(tmpdir(), 'berth-scratch-'))
  t.after(() => rmSync(scratch, { recursive: true }))
  const server = await startTriton(repository.path, [EXPLICIT], { TMPDIR: scratch })
  try {
    const file = readFileSync(join(import.meta.dirname, '../fixtures/models/identity-float32.onnx'))
    const parameters = {
      config: '{"backend":"onnxruntime"}',
      'file:7/model.onnx': file.toString('base64'),
    }
    const alone = await load(server, 'affine', { 'file:7/model.onnx': '' })
    assert.match(alone.text, /requires override model configuration/)
    const escaping = await load(server, 'affine', { config: '{}', 'file:../../x': '' })
    assert.match(escaping.text, /escapes the model directory/)
    assert.equal((await load(server, 'affine', parameters)).status, 200)
    const overridden = await server.send('GET', '/v2/models/affine')
    assert.deepEqual((overridden.json as { versions: string[] }).versions, ['7'])
    assert.equal((await load(server, 'affine')).status, 200)
    const plain = await server.send('GET', '/v2/models/affine')
    assert.deepEqual((plain.json as { versions: string[] }).versions, ['1'])
  } finally {
    await server.stop()
  }
  // ONNX Runtime leaves files of its own there.
  assert.deepEqual(
    readdirSync(scratch).filter((name) => name.startsWith('berth-model-')),
    [],
  )
})

test('with polling, models follow the repository', async () => {
  using repository = new TestRepository({ 'first/1/model.onnx': AFFINE })
  const flags = ['--model-control-mode=poll', '--repository-poll-secs=1']
  await withServer(repository, flags, async (server) => {
    const isReady = async (model: string): Promise<boolean> =>
      (await server.send('GET', `/v2/models/${model}/ready`)).status === 200
    assert.ok(await isReady('first'))
    repository.write({ 'second/1/model.onnx': AFFINE, 'first/2/model.onnx': AFFINE })
    await until('the new model', () => isReady('second'))
    await until('the new version', async () => {
      const { json } = await server.send('GET', '/v2/models/first')
      return (json as { versions: string[] }).versions[0] === '2'
    })
    repository.remove('first')
    await until('the model is gone', async () => !(await isReady('first')))
  })
})

test('the same model in two repositories is not served', async () => {
  using one = new TestRepository({ 'affine/1/model.onnx': AFFINE })
  using two = new TestRepository({ 'affine/1/model.onnx': AFFINE, 'other/1/model.onnx': AFFINE })
  const flags = [EXPLICIT, `--model-repository=${two.path}`]
  await withServer(one, flags, async (server) => {
    const { text } = await load(server, 'affine')
    assert.match(text, /model appears in two or more repositories/)
    assert.equal((await load(server, 'other')).status, 200)
  })
})

for (const { given, flags, words } of [
  {
    given: 'a flag that there is not',
    flags: ['--frobnicate=1'],
    words: /--frobnicate=1 is not a flag/,
  },
  {
    given: 'a flag that is not supported',
    flags: ['--grpc-use-ssl=true'],
    words: /--grpc-use-ssl: connections are not encrypted/,
  },
  {
    given: 'the size of a resource, and no limits',
    flags: ['--rate-limit-resource=r:1'],
    words: /--rate-limit-resource needs --rate-limit=execution_count/,
  },
  {
    given: 'a cache that there is not',
    flags: ['--cache-config=redis,host=h'],
    words: /--cache-config must be local,size=BYTES, the one cache there is, not redis,host=h/,
  },
  {
    given: 'a value out of bounds',
    flags: ['--http-port', '99999'],
    words: /--http-port must be an integer from 0 to 65535, not 99999/,
  },
  { given: 'no repository', flags: [], words: /--model-repository must be given/ },
  {
    given: 'a repository that cannot be read',
    flags: ['--model-repository=/nowhere'],
    words: /the model repository cannot be read/,
  },
]) {
  test(`does not start and says why, given ${given}`, async () => {
    const child = spawnTriton(flags)
    let text = ''
    child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()))
    const [code] = await once(child, 'close')
    assert.equal(code, 1)
    assert.match(text, words)
  })
}

test('a model that cannot be loaded keeps the server from starting, unless told otherwise', async () => {
  using repository = new TestRepository({
    'affine/1/model.onnx': AFFINE,
    'broken/1/model.onnx': { text: 'not a model' },
  })
  const child = spawnTriton([`--model-repository=${repository.path}`])
  child.stdout?.resume()
  let text = ''
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const [code] = await once(child, 'close')
  assert.equal(code, 1)
  assert.match(text, /load failed for model 'broken'/)
  await withServer(repository, ['--exit-on-error=false'], async (server) => {
    assert.equal((await server.send('POST', '/v2/models/affine/infer', ROW)).status, 200)
    assert.equal((await server.send('GET', '/v2/health/ready')).status, 400)
  })
  const lenient = ['--exit-on-error=false', '--strict-readiness=false']
  await withServer(repository, lenient, async (server) => {
    assert.equal((await server.send('GET', '/v2/health/ready')).status, 200)
  })
})
