import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'

import { threadUrl } from '../../src/modelserver/node/thread-url.ts'
import { NodeInstance } from '../../src/modelserver/triton/node/node-instance.ts'
import { ensureTritonClient, runTritonClient } from '../support/triton-client.ts'
import { startTriton, TestRepository } from '../support/triton-server.ts'
import type { RepositoryFiles, RunningTriton } from '../support/triton-server.ts'
import { until } from '../support/until.ts'

const DOUBLE = `
import { defineModel, StatusError } from 'berth/model'
import { threadId } from 'node:worker_threads'
export default defineModel({
  signature: {
    inputs: { x: { datatype: 'FP32', dims: [2] } },
    outputs: { y: { datatype: 'FP32', dims: [2] }, thread: { datatype: 'INT64', dims: [1] }, rows: { datatype: 'INT32', dims: [1] } },
    maxBatchSize: 4,
  },
  load: () => ({ factor: 2 }),
  async predict({ x }, { model, requests }) {
    const [first = 0] = x.data
    if (first === -1) throw new RangeError('it is not my day')
    if (first === -2) throw new StatusError(400, 'x must not be -2')
    if (first === -3) process.exit(5)
    if (first === -4) return { y: { shape: [1, 2], data: Float32Array.of(1) } } as never
    const [rowCount = 0] = x.shape
    const each = <T>(value: T): T[] => Array.from({ length: rowCount }, () => value)
    return {
      y: { shape: x.shape, data: x.data.map((value) => value * model.factor) },
      thread: { shape: [rowCount, 1], data: BigInt64Array.from(each(BigInt(threadId))) },
      rows: { shape: [rowCount, 1], data: Int32Array.from(each(requests.length)) },
    }
  },
})
`
const COUNT = `
import { defineModel, textsOf } from 'berth/model'
export default defineModel({
  signature: {
    inputs: { words: { datatype: 'BYTES', dims: [-1] } },
    outputs: { word: { datatype: 'BYTES', dims: [1] } },
    isDecoupled: true,
  },
  async *predict({ words }) {
    for (const word of textsOf(words)) {
      if (word === 'stop') throw new Error('told to stop')
      yield { word: { shape: [1], data: [word.toUpperCase()] } }
    }
  },
})
`
const FILES: RepositoryFiles = {
  'double/1/model.ts': { text: DOUBLE },
  'double/config.pbtxt': { text: 'instance_group [ { count: 2 } ]' },
  'count/1/model.ts': { text: COUNT },
  'plain/1/model.js': {
    text: `module.exports = require('berth/model').defineModel({
      signature: { inputs: { a: { datatype: 'BF16', dims: [2] } }, outputs: { b: { datatype: 'BF16', dims: [2] } } },
      predict: ({ a }) => ({ b: { shape: a.shape, data: a.data } }),
    })`,
  },
}

const infer = (x: readonly (readonly number[])[]) => ({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [x.length, 2], data: x.flat() }],
})

interface Inferred {
  readonly outputs: readonly { readonly name: string; readonly data: readonly number[] }[]
}

suite('models of Node', () => {
  let repository: TestRepository
  let server: RunningTriton
  before(async () => {
    repository = new TestRepository(FILES)
    server = await startTriton(repository.path)
  })
  after(async () => {
    assert.equal(await server.stop(), 0)
    repository[Symbol.dispose]()
  })

  const ask = (x: readonly (readonly number[])[]) =>
    server.send('POST', '/v2/models/double/infer', infer(x))
  const outputOf = ({ json }: { readonly json: unknown }, name: string) =>
    (json as Inferred).outputs.find((output) => output.name === name)?.data

  test('the configuration is what the model declares', async () => {
    const { json } = await server.send('GET', '/v2/models/double/config')
    const { backend, max_batch_size, input, dynamic_batching } = json as Record<string, unknown>
    assert.deepEqual([backend, max_batch_size], ['node', 4])
    assert.deepEqual(dynamic_batching !== undefined, true)
    assert.equal((input as { data_type: string }[])[0]?.data_type, 'TYPE_FP32')
    const decoupled = await server.send('GET', '/v2/models/count/config')
    assert.deepEqual((decoupled.json as Record<string, unknown>)['model_transaction_policy'], {
      decoupled: true,
    })
  })

  test('tensors in, tensors out; requests at the same time share runs and instances', async () => {
    const inputs = Array.from({ length: 24 }, (_, index) => [[index, index + 0.5]])
    // Those that come one by one, as from a machine that is busy elsewhere, are run one by one.
    await until('runs that are shared, on both instances', async () => {
      const answers = await Promise.all(inputs.map(ask))
      for (const [index, answer] of answers.entries()) {
        assert.deepEqual(outputOf(answer, 'y'), [index * 2, index * 2 + 1])
      }
      const threads = new Set(answers.map((answer) => outputOf(answer, 'thread')?.[0]))
      return (
        threads.size === 2 && answers.some((answer) => (outputOf(answer, 'rows')?.[0] ?? 0) > 1)
      )
    })
  })

  test('a throw, and an output that is not as declared, are errors as Triton’s', async () => {
    const thrown = await ask([[-1, 0]])
    assert.equal(thrown.status, 500)
    assert.match(
      thrown.text,
      /Failed to process the request\(s\) for model 'double_0_\d', message: RangeError: it is not my day/,
    )
    const wrong = await ask([[-4, 0]])
    assert.match(
      wrong.text,
      /Output y: expected Float32Array of 2 elements, for FP32 of shape \[1,2\], got Float32Array of 1\./,
    )
    const meant = await ask([[-2, 0]])
    assert.deepEqual([meant.status, meant.json], [400, { error: 'x must not be -2' }])
  })

  test('process.exit() fails its own request; the instance comes back', async () => {
    const { status, text } = await ask([[-3, 0]])
    assert.equal(status, 500)
    assert.match(text, /The Node worker ended with exit code 5\./)
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask([[1, 1]])))
    assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set([200]))
  })

  test('CommonJS, and a datatype that JavaScript does not know', async () => {
    const a = { name: 'a', datatype: 'BF16', shape: [2], parameters: { binary_data_size: 4 } }
    const head = JSON.stringify({ inputs: [a], parameters: { binary_data_output: true } })
    const body = Buffer.concat([Buffer.from(head), Buffer.from([1, 2, 3, 4])])
    const { status, text } = await server.send(
      'POST',
      '/v2/models/plain/infer',
      new Uint8Array(body),
      {
        'inference-header-content-length': String(head.length),
        'content-type': 'application/octet-stream',
      },
    )
    assert.equal(status, 200, text)
    assert.ok(text.endsWith('\u0001\u0002\u0003\u0004'))
  })

  test('a decoupled model streams to tritonclient over gRPC, and breaks off with its error', async () => {
    const client = await ensureTritonClient()
    const got = await runTritonClient(client, 'node_models.py', [`127.0.0.1:${server.grpcPort}`])
    const error =
      "Failed to process the request(s) for model 'count_0', message: Error: told to stop"
    assert.deepEqual(got, { whole: ['ONE', 'TWO', 'THREE'], broken: ['ONE', error] })
  })
})

test('a model that hangs is replaced after node,call-timeout-seconds', async () => {
  const spins = `
import { defineModel } from 'berth/model'
export default defineModel({
  signature: { inputs: { x: { datatype: 'INT32', dims: [1] } }, outputs: { x: { datatype: 'INT32', dims: [1] } } },
  predict({ x }) {
    while (x.data[0] === 7);
    return { x }
  },
})`
  using repository = new TestRepository({ 'spins/1/model.ts': { text: spins } })
  const server = await startTriton(repository.path, [
    '--backend-config=node,call-timeout-seconds=1',
  ])
  const ask = (value: number) => {
    const inputs = [{ name: 'x', datatype: 'INT32', shape: [1], data: [value] }]
    return server.send('POST', '/v2/models/spins/infer', { inputs })
  }
  const { status, text } = await ask(7)
  assert.equal(status, 500)
  assert.match(text, /The Node worker did not answer within 1 s \(node,call-timeout-seconds\)\./)
  await until('an answer of another thread, in time', async () => (await ask(1)).status === 200)
  assert.equal(await server.stop(), 0)
})

test('a decoupled model is not run for a caller that left while another one was served', async () => {
  const endless = `
import { defineModel } from 'berth/model'
export default defineModel({
  signature: {
    inputs: { x: { datatype: 'INT32', dims: [1] } }, outputs: { x: { datatype: 'INT32', dims: [1] } },
    maxBatchSize: 2, isDecoupled: true,
  },
  async *predict({ x }) {
    for (;;) yield { x }
  },
})`
  using repository = new TestRepository({ 'endless/1/model.ts': { text: endless } })
  const modelDirectory = join(repository.path, 'endless')
  const instance = new NodeInstance({
    name: 'endless_0',
    callMsMax: 0,
    log: () => undefined,
    launch: {
      url: threadUrl('tensor-thread'),
      environment: {},
      heapMbMax: 128,
      data: { modelDirectory, codeFolders: [join(modelDirectory, '1')], defaultProgram: 'model' },
    },
  })
  const callers = [new AbortController(), new AbortController()]
  const failures: string[] = []
  const tensor = { name: 'x', datatype: 'INT32', shape: [1, 1], data: new Uint8Array(4) } as const
  const requests = callers.map(({ signal }, index) => ({
    id: '',
    inputs: [tensor],
    requestedOutputs: ['x'],
    parameters: new Map(),
    batchSize: 1,
    correlationId: 0n,
    isSequenceStart: false,
    isSequenceEnd: false,
    priority: 0,
    timeoutMs: 0,
    signal,
    // The first answer is there, the second request waits: both leave.
    respond: () => {
      for (const caller of callers.toReversed()) caller.abort()
    },
    fail: (error: unknown) => void failures.push(`${index}: ${String(error)}`),
  }))
  try {
    await instance.execute(requests)
    assert.match(failures.join(), /^0: .*Nobody waits for it.*,1: .*request cancelled$/)
  } finally {
    await instance.close()
  }
})

suite('models that cannot be loaded say why in the index', () => {
  const spec = (datatype: string, dims: string) =>
    `export default { [Symbol.for('berth.model')]: true, predict() {}, signature: {
      inputs: { x: { datatype: '${datatype}', dims: ${dims} } }, outputs: { y: { datatype: 'FP32', dims: [1] } } } }`
  const port = (role: string, name: string, type: string) =>
    `${role} [ { name: "${name}" data_type: ${type} dims: [ 1 ] } ]`
  const CASES: readonly {
    readonly name: string
    readonly code: string
    readonly config?: string
    readonly reason: RegExp
  }[] = [
    {
      name: 'syntax',
      code: 'const a = 1\nconst b: = 2\n',
      reason: /The model could not be loaded in 1\/model\.ts line 2: SyntaxError/,
    },
    {
      name: 'throws',
      code: "throw new Error('no weights')",
      reason: /in 1\/model\.ts line 1: Error: no weights/,
    },
    {
      name: 'not_defined',
      code: 'export default {}',
      reason: /Its default export is not a model from defineModel of berth\/model\./,
    },
    {
      name: 'no_package',
      code: "import x from 'berth-no-such'",
      reason: /Put berth-no-such into the dependencies of package\.json\./,
    },
    {
      name: 'no_datatype',
      code: spec('FLOAT', '[1]'),
      reason: /signature\.inputs\.x\.datatype is FLOAT/,
    },
    {
      name: 'other_type',
      code: spec('FP32', '[1]'),
      config: `${port('input', 'x', 'TYPE_INT8')} ${port('output', 'y', 'TYPE_FP32')}`,
      reason:
        /tensor 'x': the model expects FP32 \[1\] but the model configuration specifies INT8 \[1\]/,
    },
    {
      name: 'other_name',
      code: spec('FP32', '[1]'),
      config: `${port('input', 'z', 'TYPE_FP32')} ${port('output', 'y', 'TYPE_FP32')}`,
      reason: /unexpected inference input 'z', allowed inputs are: x/,
    },
    {
      name: 'sequences',
      code: spec('FP32', '[1]'),
      config: 'max_batch_size: 8 sequence_batching {}',
      reason: /model 'sequences' asks for sequence_batching, which models of Node do not offer/,
    },
    {
      name: 'batches',
      code: spec('FP32', '[1]'),
      config: 'max_batch_size: 8',
      reason: /the configuration has max_batch_size 8, and the model takes 0/,
    },
  ]
  let repository: TestRepository
  let server: RunningTriton
  before(async () => {
    const files = CASES.flatMap(({ name, code, config }) => [
      [`${name}/1/model.ts`, { text: code }] as const,
      ...(config === undefined ? [] : [[`${name}/config.pbtxt`, { text: config }] as const]),
    ])
    repository = new TestRepository(Object.fromEntries(files))
    server = await startTriton(repository.path, ['--exit-on-error=false'])
  })
  after(async () => {
    await server.stop()
    repository[Symbol.dispose]()
  })
  for (const { name, reason } of CASES) {
    test(name, async () => {
      const { json } = await server.send('POST', '/v2/repository/index')
      const rows = json as { readonly name: string; readonly reason: string }[]
      assert.match(rows.find((row) => row.name === name)?.reason ?? '', reason)
    })
  }
})
