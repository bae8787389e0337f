import assert from 'node:assert/strict'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import type { Backend } from '../../src/modelserver/triton/backend.ts'
import { startThread } from '../../src/modelserver/onnx/start-thread.ts'
import { inferOnce } from '../../src/modelserver/triton/infer-once.ts'
import { ModelRepository } from '../../src/modelserver/triton/model-repository.ts'
import type {
  FromInstance,
  ToInstance,
} from '../../src/modelserver/triton/onnx/instance-messages.ts'
import { instanceWorkerUrl } from '../../src/modelserver/triton/onnx/instance-worker-url.ts'
import { OnnxBackend } from '../../src/modelserver/triton/onnx/onnx-backend.ts'
import { UNLIMITED } from '../../src/modelserver/triton/rate-limiter.ts'
import { createConfigReader } from '../../src/modelserver/triton/read-config.ts'
import { fingerprint } from '../../src/modelserver/triton/scan-repository.ts'
import { ServingError } from '../../src/modelserver/triton/serving-error.ts'
import { encodeOnnx } from '../support/onnx.ts'
import type { OnnxNode } from '../support/onnx.ts'
import { TestRepository } from '../support/triton-server.ts'
import { until } from '../support/until.ts'

const WIDTH = 3
const ROW = ['N', WIDTH] as const

/** The same models twice, in threads of their own: one server runs ahead whatever it costs, the other never. */
class Server {
  readonly repository: ModelRepository
  /** Requests that found a run waiting for them. */
  foundCount = 0

  constructor(path: string, runAheadUsMax: number) {
    const onnx = new OnnxBackend()
    const onnxruntime: Backend = {
      load: async (model, log) => {
        const loaded = await onnx.load(model, log)
        const { followUpModel: own } = loaded
        if (own === undefined) return loaded
        const followUpModel = {
          data: own.data,
          keep: own.keep.bind(own),
          onClose: own.onClose.bind(own),
          hasKept: (request: Parameters<typeof own.hasKept>[0]) => {
            const isFound = own.hasKept(request)
            if (isFound) this.foundCount += 1
            return isFound
          },
        }
        return { ...loaded, followUpModel }
      },
    }
    const options = { isAutoCompleting: true, configName: '', defaultMaxBatchSize: 4 }
    this.repository = new ModelRepository({
      repositories: [path],
      backends: { onnxruntime },
      readConfig: createConfigReader(options),
      shared: { turns: UNLIMITED, cache: undefined, runAheadUsMax },
      log: () => undefined,
    })
  }

  /** Its outputs, or what was wrong. */
  async ask(model: string, rows: number, values: readonly number[]): Promise<unknown> {
    const served = this.repository.find(model, undefined)
    const inputs = served.config.inputs.map(({ name }, at) => {
      const elements = Float32Array.from({ length: rows * WIDTH }, (_none, index) => {
        return values[(index + at) % values.length] ?? 0
      })
      const data = new Uint8Array(elements.buffer)
      return { name, datatype: 'FP32', shape: [rows, WIDTH], data } as const
    })
    try {
      const { outputs } = await inferOnce(served, { ...PLAIN, inputs })
      return outputs.map(({ name, shape, data }) => ({ name, shape, data: Buffer.from(data) }))
    } catch (error) {
      if (!(error instanceof ServingError)) throw error
      return { code: error.code, message: error.message }
    }
  }

  /** How often each model did what, without how long it took. */
  executions(): unknown {
    return this.repository.ready.map(({ name, statistics }) => {
      const text = JSON.stringify(statistics.toJson(name, '1'), (key, value: unknown) =>
        key === 'ns' || key === 'last_inference' ? undefined : value,
      )
      return JSON.parse(text) as unknown
    })
  }

  /** The same but for how requests were put together. */
  requests(): unknown {
    return this.repository.ready.map(({ name, statistics }) => {
      const { inferenceCount } = statistics
      const [success, fail] = [statistics.part('success').count, statistics.part('fail').count]
      return { name, inferenceCount, success, fail }
    })
  }
}

const PLAIN = {
  id: '',
  outputNames: [],
  parameters: new Map(),
  priority: 0,
  timeoutUs: 0,
  correlationId: 0n,
  isSequenceStart: false,
  isSequenceEnd: false,
  signal: new AbortController().signal,
}

function model(
  inputs: readonly string[],
  outputs: readonly string[],
  nodes: readonly OnnxNode[],
  weight = 1.5,
): Buffer {
  const ports = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, ROW]))
  return encodeOnnx({
    nodes,
    weights: {
      w: { dims: [1], values: Float32Array.of(weight) },
      table: { dims: [5], values: Float32Array.of(4, -3, 2, -1, 0.5) },
    },
    inputs: ports(inputs),
    outputs: ports(outputs),
  })
}

const node = (operator: string, inputs: readonly string[], output: string): OnnxNode => {
  return { operator, inputs, outputs: [output] }
}
const scaleBy = (weight: number): Buffer =>
  model(['x0'], ['y0'], [node('Mul', ['x0', 'w'], 'y0')], weight)

const MODELS = {
  scale: { inputCount: 1, outputCount: 1, bytes: scaleBy(1.5) },
  mix: {
    inputCount: 2,
    outputCount: 1,
    bytes: model(['x0', 'x1'], ['y0'], [node('Sub', ['x0', 'x1'], 'y0')]),
  },
  fork: {
    inputCount: 1,
    outputCount: 2,
    bytes: model(['x0'], ['y0', 'y1'], [node('Neg', ['x0'], 'y0'), node('Add', ['x0', 'w'], 'y1')]),
  },
  // Written anew on disk by one test, which loads it no more.
  late: { inputCount: 1, outputCount: 1, bytes: scaleBy(3) },
  // Fails for what is not from -5 to 4.
  picky: {
    inputCount: 1,
    outputCount: 1,
    bytes: model(
      ['x0'],
      ['y0'],
      [
        { ...node('Cast', ['x0'], 'place'), attributes: { to: 7 } },
        node('Gather', ['table', 'place'], 'y0'),
      ],
    ),
  },
} as const

type ModelName = keyof typeof MODELS

interface GraphStep {
  readonly model: ModelName
  readonly from: readonly [number, number]
}

const port = (kind: string, names: readonly string[]): string => {
  const ports = names.map((name) => `{ name: "${name}" data_type: TYPE_FP32 dims: [ ${WIDTH} ] }`)
  return `${kind} [ ${ports.join(', ')} ]`
}

/** The config of an ensemble: each step takes tensors that are there already; what nobody takes is an output. */
function writeConfig(steps: readonly GraphStep[]): string {
  const tensors = ['a', 'b']
  const read = new Set<string>()
  const texts = steps.map(({ model: name, from }, at) => {
    const { inputCount, outputCount } = MODELS[name]
    const taken = from.slice(0, inputCount).map((one) => tensors[one % tensors.length] ?? 'a')
    const given = Array.from({ length: outputCount }, (_none, index) => `t${at}_${index}`)
    for (const tensor of taken) read.add(tensor)
    tensors.push(...given)
    const maps = [
      ...taken.map((tensor, index) => `input_map { key: "x${index}" value: "${tensor}" }`),
      ...given.map((tensor, index) => `output_map { key: "y${index}" value: "${tensor}" }`),
    ]
    return `step { model_name: "${name}" model_version: -1 ${maps.join(' ')} }`
  })
  const inputs = ['a', 'b'].filter((tensor) => read.has(tensor))
  const outputs = tensors.filter((tensor) => !read.has(tensor) && tensor.startsWith('t'))
  return (
    `platform: "ensemble" max_batch_size: 8 ${port('input', inputs)} ${port('output', outputs)} ` +
    `ensemble_scheduling { ${texts.join(' ')} }`
  )
}

let files: TestRepository
let ahead: Server
let plain: Server
let graphCount = 0

async function addGraph(steps: readonly GraphStep[]): Promise<string> {
  graphCount += 1
  const name = `graph${graphCount}`
  files.write({
    [`${name}/config.pbtxt`]: { text: writeConfig(steps) },
    [`${name}/1/.keep`]: { text: '' },
  })
  await Promise.all([ahead.repository.load(name), plain.repository.load(name)])
  return name
}

async function askBoth(name: string, rows: number, values: readonly number[]): Promise<unknown> {
  const [here, there] = await Promise.all([
    ahead.ask(name, rows, values),
    plain.ask(name, rows, values),
  ])
  assert.deepEqual(here, there)
  return here
}

/** Asks until a model was run before it was asked for. */
async function untilAhead(name: string): Promise<void> {
  const before = ahead.foundCount
  await until('a run ahead of its request', async () => {
    await askBoth(name, 1, [1, 2, 3])
    return ahead.foundCount > before
  })
}

const CHAIN: readonly GraphStep[] = [
  { model: 'fork', from: [0, 0] },
  { model: 'mix', from: [2, 3] },
  { model: 'scale', from: [4, 0] },
]

before(async () => {
  const folders = Object.entries(MODELS).flatMap(([name, { bytes }]) => [
    [`${name}/1/model.onnx`, { bytes }] as const,
    [
      `${name}/config.pbtxt`,
      {
        text: 'backend: "onnxruntime" max_batch_size: 8 dynamic_batching { } instance_group [ { count: 1 } ]',
      },
    ] as const,
  ])
  files = new TestRepository(Object.fromEntries(folders))
  // Of no concern to a model that lies beside it.
  symlinkSync('nowhere', join(files.path, 'scale/1/link'))
  ahead = new Server(files.path, Infinity)
  plain = new Server(files.path, 0)
  for (const { repository } of [ahead, plain]) {
    for (const name of Object.keys(MODELS)) await repository.load(name)
  }
})

after(async () => {
  await Promise.all([ahead.repository.close(), plain.repository.close()])
  files[Symbol.dispose]()
})

// Each step takes what the one before it gave, so there is one way to run it.
const chains = fc
  .array(fc.constantFrom<ModelName>('scale', 'fork', 'picky'), { minLength: 2, maxLength: 6 })
  .map((names) => {
    let last = 0
    return names.map((name): GraphStep => {
      const from = [last, 0] as const
      last = (last === 0 ? 1 : last) + MODELS[name].outputCount
      return { model: name, from }
    })
  })
// None of them fails: which of two branches fails first would be open, run ahead or not.
const graphs = fc.array(
  fc.record({
    model: fc.constantFrom<ModelName>('scale', 'mix', 'fork'),
    from: fc.tuple(fc.nat(20), fc.nat(20)),
  }),
  { minLength: 2, maxLength: 6 },
)
const requests = fc.array(
  fc.record({
    rows: fc.integer({ min: 1, max: 8 }),
    values: fc.array(fc.integer({ min: -6, max: 6 }), { minLength: 1, maxLength: 5 }),
  }),
  { minLength: 3, maxLength: 10 },
)

async function compareOn(
  shapes: fc.Arbitrary<readonly GraphStep[]>,
  counts: (server: Server) => unknown,
): Promise<void> {
  await untilAhead(await addGraph(CHAIN))
  await fc.assert(
    fc.asyncProperty(shapes, requests, async (steps, asked) => {
      const name = await addGraph(steps)
      for (const { rows, values } of asked) await askBoth(name, rows, values)
      // What was answered last is counted before the next turn.
      await setImmediate()
      assert.deepEqual(counts(ahead), counts(plain))
    }),
    { numRuns: 20, endOnFailure: true },
  )
  assert.equal(plain.foundCount, 0)
}

test('property: chains give the same outputs, errors and statistics, run ahead or not', async () => {
  await compareOn(chains, (server) => server.executions())
})

// Two steps of one model that wait at the same time may be one run or two.
test('property: graphs give the same outputs and counts of requests, run ahead or not', async () => {
  await compareOn(graphs, (server) => server.requests())
})

test('callers at the same time get their own rows', async () => {
  const name = await addGraph(CHAIN)
  await untilAhead(name)
  for (let round = 0; round < 10; round += 1) {
    const asked = Array.from({ length: 12 }, (_none, index) => [index, round, index - round])
    await Promise.all(asked.map((values, index) => askBoth(name, 1 + (index % 3), values)))
  }
})

test('a model that is replaced is run as it is now', async () => {
  const name = await addGraph(CHAIN)
  await untilAhead(name)
  const old = await askBoth(name, 1, [1, 2, 3])
  files.write({ 'scale/1/model.onnx': { bytes: scaleBy(-2.25) } })
  await Promise.all([ahead.repository.load('scale'), plain.repository.load('scale')])
  assert.notDeepEqual(await askBoth(name, 1, [1, 2, 3]), old)
  await untilAhead(name)
})

test('a model whose file was written anew and not loaded is run as it was', async () => {
  const name = await addGraph([...CHAIN.slice(0, 2), { model: 'late', from: [4, 0] }])
  files.write({ 'late/1/model.onnx': { bytes: scaleBy(-7) } })
  await untilAhead(name)
  for (let round = 0; round < 20; round += 1) await askBoth(name, 1, [round, 2, 3])
})

test('a model that is detached while a thread loads it does not stay there', async () => {
  const folder = join(files.path, 'scale/1')
  const data = { modelPath: join(folder, 'model.onnx'), choices: {} }
  const attached = { ...data, files: await fingerprint(folder) }
  const thread = startThread(instanceWorkerUrl(), data)
  const heard: FromInstance[] = []
  thread.on('message', (message: FromInstance) => heard.push(message))
  const say = (message: ToInstance): void => thread.postMessage(message)
  const hear = (kind: FromInstance['kind']) =>
    until(kind, () => heard.find((message) => message.kind === kind))
  try {
    await hear('loaded')
    say({ kind: 'attach', key: 1, data: attached })
    say({ kind: 'detach', key: 1 })
    say({ kind: 'attach', key: 2, data: attached })
    await hear('attached')
    const inputs = [
      { name: 'x0', datatype: 'FP32', shape: [1, WIDTH], offset: 0, byteLength: 4 * WIDTH },
    ] as const
    const followUps = [2, 1].map((key) => {
      return { key, inputs: [{ name: 'x0', from: -1, output: 'y0' }], outputNames: ['y0'] }
    })
    const buffer = new ArrayBuffer(4 * WIDTH)
    say({ kind: 'run', buffer, inputs, outputNames: ['y0'], followUps })
    const executed = await hear('executed')
    assert.ok(executed.kind === 'executed')
    assert.equal(executed.followUps.length, 1)
    assert.equal(heard.filter(({ kind }) => kind === 'attached').length, 1)
  } finally {
    await thread.terminate()
  }
})
