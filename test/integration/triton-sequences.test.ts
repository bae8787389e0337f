import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ACCUMULATE, encodeAccumulate, SEQUENCE_BATCHING } from '../support/sequence-models.ts'
import { ensureTritonClient, runTritonClient } from '../support/triton-client.ts'
import { startTriton, TestRepository } from '../support/triton-server.ts'
import type { Answer, RunningTriton } from '../support/triton-server.ts'
import { until } from '../support/until.ts'

let repository: TestRepository
let server: RunningTriton

before(async () => {
  repository = new TestRepository({
    'accumulate/1/model.onnx': { bytes: encodeAccumulate() },
    'accumulate/initial_state/hundred': { bytes: new Uint8Array(Int32Array.of(100).buffer) },
    'named/1/model.onnx': { bytes: encodeAccumulate('string') },
    'whole/1/nothing': { text: '' },
  })
  server = await startTriton(repository.path, ['--model-control-mode=explicit'])
})

after(async () => {
  assert.equal(await server.stop(), 0)
  repository[Symbol.dispose]()
})

async function load(model: string, config: object): Promise<void> {
  const parameters = { config: JSON.stringify(config) }
  const { status, text } = await server.send('POST', `/v2/repository/models/${model}/load`, {
    parameters,
  })
  assert.equal(status, 200, text)
}

interface Step {
  readonly id?: number | string
  readonly value?: number
  readonly isStart?: boolean
  readonly isEnd?: boolean
  readonly timeoutUs?: number
  readonly outputs?: readonly string[]
  readonly signal?: AbortSignal
}

async function ask(model: string, step: Step): Promise<Answer> {
  const { id, value = 1, isStart = false, isEnd = false, timeoutUs, outputs, signal } = step
  const body = {
    parameters: {
      ...(id !== undefined && { sequence_id: id }),
      sequence_start: isStart,
      sequence_end: isEnd,
      ...(timeoutUs !== undefined && { timeout: timeoutUs }),
    },
    inputs: [{ name: 'INPUT0', shape: [1, 1], datatype: 'INT32', data: [value] }],
    ...(outputs !== undefined && { outputs: outputs.map((name) => ({ name })) }),
  }
  const path = `/v2/models/${model}/infer`
  if (signal === undefined) return server.send('POST', path, body)
  const answer = await fetch(`${server.url}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    signal,
  })
  throw new Error(`It was answered with ${answer.status}.`)
}

function valuesOf(answer: Answer): Record<string, unknown> {
  assert.equal(answer.status, 200, answer.text)
  const { outputs } = answer.json as { outputs: { name: string; data: unknown[] }[] }
  return Object.fromEntries(outputs.map(({ name, data }) => [name, data[0]]))
}

const sumOf = async (model: string, step: Step): Promise<unknown> =>
  valuesOf(await ask(model, step))['OUTPUT0']

const errorOf = ({ status, json }: Answer) => [status, (json as { error: string }).error]

const DIRECT = { ...ACCUMULATE, sequence_batching: SEQUENCE_BATCHING }
const oldest = (candidateCount: number) => {
  return { ...SEQUENCE_BATCHING, oldest: { max_candidate_sequences: candidateCount } }
}
const WITH_CONTROLS = [
  ...ACCUMULATE.output,
  { name: 'FLAGS', data_type: 'TYPE_INT32', dims: [1] },
  { name: 'ID', data_type: 'TYPE_UINT64', dims: [1] },
]

interface Exchange {
  readonly name: string
  readonly request: { readonly path: string; readonly body: { readonly text: string } }
  readonly response: { readonly status: number; readonly body: { readonly text: string } }
}

test('tritonserver was recorded to answer sequences the same', async () => {
  await load('accumulate', DIRECT)
  const file = join(import.meta.dirname, '../fixtures/triton/recorded.json')
  const { exchanges } = JSON.parse(readFileSync(file, 'utf8')) as { exchanges: Exchange[] }
  // Later releases refuse an id that is a text where the model is told a number.
  const replayed = exchanges.filter(
    ({ name }) => name.startsWith('sequence:') && name !== 'sequence: id a string',
  )
  assert.equal(replayed.length, 10)
  for (const { name, request, response } of replayed) {
    const answer = await server.send('POST', request.path, request.body.text)
    assert.deepEqual(
      [answer.status, answer.json],
      [response.status, JSON.parse(response.body.text)],
      name,
    )
  }
  assert.deepEqual(errorOf(await ask('accumulate', { id: 'a', isStart: true })), [
    400,
    "[request id: <id_unknown>] sequence batching control 'CORRID' data-type is 'BYTES', but model 'accumulate' expects 'UINT64'",
  ])
})

test('the model is told of start, end, ready and id; the state stays with the server', async () => {
  await load('accumulate', { ...DIRECT, output: WITH_CONTROLS })
  const id = 9_007_199_254_740_991
  const told = [
    valuesOf(await ask('accumulate', { id, isStart: true, value: 5 })),
    valuesOf(await ask('accumulate', { id, value: 6 })),
    valuesOf(await ask('accumulate', { id, isEnd: true, value: 7, outputs: ['FLAGS', 'ID'] })),
  ]
  assert.deepEqual(told, [
    { OUTPUT0: 5, FLAGS: 5, ID: id },
    { OUTPUT0: 11, FLAGS: 4, ID: id },
    { FLAGS: 6, ID: id },
  ])
})

test('a state begins with the bytes of a file, and again when a sequence starts again', async () => {
  const [state] = SEQUENCE_BATCHING.state
  const initial = { name: 'hundred', data_type: 'TYPE_INT32', dims: [1], data_file: 'hundred' }
  const batching = { ...oldest(4), state: [{ ...state, initial_state: [initial] }] }
  await load('accumulate', { ...ACCUMULATE, sequence_batching: batching })
  assert.equal(await sumOf('accumulate', { id: 1, isStart: true, value: 1 }), 101)
  assert.equal(await sumOf('accumulate', { id: 1, value: 1 }), 102)
  assert.equal(await sumOf('accumulate', { id: 1, isStart: true, value: 3 }), 103)
  assert.equal(await sumOf('accumulate', { id: 1, isEnd: true, value: 1 }), 104)
})

test('ids may be texts', async () => {
  const [start, ready, end] = SEQUENCE_BATCHING.control_input
  const kind = 'CONTROL_SEQUENCE_CORRID'
  const id = { name: 'CORRID', control: [{ kind, data_type: 'TYPE_STRING' }] }
  const output = [...ACCUMULATE.output, { name: 'ID', data_type: 'TYPE_STRING', dims: [1] }]
  const batching = { ...SEQUENCE_BATCHING, control_input: [start, ready, end, id] }
  await load('named', { ...ACCUMULATE, output, sequence_batching: batching })
  const first = await ask('named', { id: 'näme', isStart: true, value: 2 })
  assert.deepEqual(valuesOf(first), { OUTPUT0: 2, ID: 'näme' })
  assert.equal(await sumOf('named', { id: 'näme', isEnd: true, value: 3 }), 5)
  assert.equal(errorOf(await ask('named', { id: 'x'.repeat(129), isStart: true }))[0], 501)
  assert.deepEqual(errorOf(await ask('named', { id: 3, isStart: true })), [
    400,
    "[request id: <id_unknown>] sequence batching control 'CORRID' data-type is 'UINT64', but model 'named' expects 'BYTES'",
  ])
})

test('an idle sequence gives its slot to one that waits, and is unknown then', async () => {
  const batching = { ...SEQUENCE_BATCHING, max_sequence_idle_microseconds: 300_000 }
  await load('accumulate', { ...ACCUMULATE, max_batch_size: 1, sequence_batching: batching })
  await sumOf('accumulate', { id: 1, isStart: true })
  assert.equal(await sumOf('accumulate', { id: 2, isStart: true, isEnd: true, value: 7 }), 7)
  assert.deepEqual(errorOf(await ask('accumulate', { id: 1 })), [
    400,
    "inference request for sequence 1 to model 'accumulate' must specify the START flag on the first request of the sequence",
  ])
})

test('a sequence waits for a slot as long as its timeout says', async () => {
  await load('accumulate', { ...ACCUMULATE, sequence_batching: oldest(1) })
  await sumOf('accumulate', { id: 1, isStart: true })
  const late = await ask('accumulate', { id: 2, isStart: true, timeoutUs: 200_000 })
  assert.deepEqual(errorOf(late), [503, 'timeout of the corresponding sequence has been expired'])
  const third = ask('accumulate', { id: 3, isStart: true, isEnd: true, value: 8 })
  assert.equal(await sumOf('accumulate', { id: 1, isEnd: true }), 2)
  assert.deepEqual(valuesOf(await third), { OUTPUT0: 8 })
})

test('a sequence whose client is gone goes too', async () => {
  await load('accumulate', { ...ACCUMULATE, sequence_batching: oldest(1) })
  await sumOf('accumulate', { id: 1, isStart: true })
  const client = new AbortController()
  const gone = ask('accumulate', { id: 2, isStart: true, signal: client.signal })
  const pending = (count: number): Promise<true> =>
    until(`${count} that wait`, async () => {
      const text = await (await fetch(server.metricsUrl)).text()
      return text.includes(
        `nv_inference_pending_request_count{model="accumulate",version="1"} ${count}`,
      )
    })
  await pending(1)
  client.abort()
  await assert.rejects(gone)
  await pending(0)
  assert.equal(await sumOf('accumulate', { id: 1, isEnd: true }), 2)
  assert.equal((await ask('accumulate', { id: 2 })).status, 400)
})

for (const [strategy, batching] of [
  ['direct', SEQUENCE_BATCHING],
  [
    'direct with a delay',
    {
      ...SEQUENCE_BATCHING,
      direct: { minimum_slot_utilization: 1, max_queue_delay_microseconds: 2_000 },
    },
  ],
  ['oldest', oldest(3)],
  [
    'oldest with a delay',
    {
      ...SEQUENCE_BATCHING,
      oldest: { max_candidate_sequences: 8, max_queue_delay_microseconds: 1_000 },
    },
  ],
] as const) {
  test(`no request is lost or gets another sequence’s state under load: ${strategy}`, async () => {
    const group = [{ kind: 'KIND_CPU', count: 2 }]
    const config = {
      ...ACCUMULATE,
      max_batch_size: 4,
      output: WITH_CONTROLS,
      instance_group: group,
    }
    await load('accumulate', { ...config, sequence_batching: batching })
    const LENGTH = 12
    const runSequence = async (id: number): Promise<void> => {
      let sum = 0
      for (let index = 0; index < LENGTH; index += 1) {
        const value = id * 1000 + index
        sum += value
        const [isStart, isEnd] = [index === 0, index === LENGTH - 1]
        const told = valuesOf(await ask('accumulate', { id, value, isStart, isEnd }))
        const FLAGS = 4 + (isStart ? 1 : 0) + (isEnd ? 2 : 0)
        assert.deepEqual(told, { OUTPUT0: sum, FLAGS, ID: id })
      }
    }
    const ids = Array.from({ length: 40 }, (_none, index) => index + 1)
    await Promise.all(ids.map(runSequence))
    const { json } = await server.send('GET', '/v2/models/accumulate/stats')
    const [stats] = (
      json as { model_stats: { inference_count: number; execution_count: number }[] }
    ).model_stats
    assert.equal(stats?.inference_count, ids.length * LENGTH)
    assert.ok(stats.execution_count < stats.inference_count, 'sequences share batches')
  })
}

test('sequences go through ensembles', async () => {
  await load('accumulate', DIRECT)
  await load('whole', {
    platform: 'ensemble',
    max_batch_size: 2,
    input: ACCUMULATE.input,
    output: [{ ...ACCUMULATE.output[0], name: 'TOTAL' }],
    ensemble_scheduling: {
      step: [
        {
          model_name: 'accumulate',
          model_version: -1,
          input_map: { INPUT0: 'INPUT0' },
          output_map: { OUTPUT0: 'TOTAL' },
        },
      ],
    },
  })
  const total = async (step: Step): Promise<unknown> => valuesOf(await ask('whole', step))['TOTAL']
  assert.equal(await total({ id: 4, isStart: true, value: 1 }), 1)
  assert.equal(await total({ id: 5, isStart: true, value: 10 }), 10)
  assert.equal(await total({ id: 4, isEnd: true, value: 2 }), 3)
  assert.equal(await total({ id: 5, isEnd: true, value: 20 }), 30)
  assert.deepEqual(errorOf(await ask('whole', { id: 4 })), [
    400,
    "[request id: <id_unknown>] in ensemble 'whole', inference request for sequence 4 to model 'accumulate' must specify the START flag on the first request of the sequence",
  ])
})

test('tritonclient sends sequences over HTTP, gRPC and streams', async () => {
  await load('accumulate', { ...ACCUMULATE, sequence_batching: oldest(8) })
  const python = await ensureTritonClient()
  const addresses = [`127.0.0.1:${server.httpPort}`, `127.0.0.1:${server.grpcPort}`]
  assert.deepEqual(await runTritonClient(python, 'sequences.py', addresses), {
    http: [1, 3, 6],
    grpc: [1, 3, 6],
    stream: { '21': [1, 3, 6], '22': [10, 30, 60] },
    unstarted:
      "inference request for sequence 23 to model 'accumulate' must specify the START flag on the first request of the sequence",
  })
})

for (const { given, change, words } of [
  {
    given: 'a control that the model has not',
    change: {
      control_input: [
        { name: 'GO', control: [{ kind: 'CONTROL_SEQUENCE_START', int32_false_true: [0, 1] }] },
      ],
    },
    words: /configuration expects 3 inputs, model provides 6/,
  },
  {
    given: 'a control of another type',
    change: {
      control_input: SEQUENCE_BATCHING.control_input.with(0, {
        name: 'START',
        control: [{ kind: 'CONTROL_SEQUENCE_START', fp32_false_true: [0, 1] }],
      }),
    },
    words:
      /sequence control 'START', the model expects data-type TYPE_INT32 but the model configuration specifies data-type TYPE_FP32/,
  },
  {
    given: 'a state of another type',
    change: { state: [{ ...SEQUENCE_BATCHING.state[0], data_type: 'TYPE_FP32' }] },
    words: /sequence state 'SUM_IN', the model expects data-type TYPE_INT32/,
  },
  {
    given: 'a first state that is not there',
    change: {
      state: [
        {
          ...SEQUENCE_BATCHING.state[0],
          initial_state: [{ name: 'x', data_type: 'TYPE_INT32', dims: [1], data_file: 'missing' }],
        },
      ],
    },
    words: /failed to open text file for read .*initial_state\/missing/,
  },
  {
    given: 'a first state of open size',
    change: {
      state: [
        {
          ...SEQUENCE_BATCHING.state[0],
          initial_state: [{ name: 'x', data_type: 'TYPE_INT32', dims: [-1], zero_data: true }],
        },
      ],
    },
    words: /'initial_state' field for state input name 'SUM_IN' contains variable dimensions/,
  },
  {
    given: 'iterative sequences',
    change: { iterative_sequence: true },
    words: /asks for iterative_sequence, which this server does not offer/,
  },
]) {
  test(`says why a model cannot be loaded, given ${given}`, async () => {
    const config = { ...ACCUMULATE, sequence_batching: { ...SEQUENCE_BATCHING, ...change } }
    const parameters = { config: JSON.stringify(config) }
    const path = '/v2/repository/models/accumulate/load'
    const { status, text } = await server.send('POST', path, { parameters })
    assert.equal(status, 'iterative_sequence' in change ? 501 : 400, text)
    assert.match((JSON.parse(text) as { error: string }).error, words)
  })
}
