import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { sampleInputs, seededRandom } from '../../src/modelserver/compile/sample-inputs.ts'
import { nest } from '../../src/modelserver/codecs/rows.ts'
import type { Model } from '../../src/modelserver/onnx/model.ts'
import { loadModel } from '../../src/modelserver/onnx/model.ts'
import type { ModelReply, ModelRequest } from '../../src/modelserver/onnx/model-call.ts'
import { judgeBatching } from '../../src/modelserver/onnx/prove-batching.ts'
import { askAtOnce, createBatcher } from '../support/ask-model.ts'

const MODELS = join(import.meta.dirname, '../fixtures/models')

async function load(name: string): Promise<Model> {
  return loadModel({ path: join(MODELS, name), name, labels: undefined })
}

/** Counts the runs of a model. */
function counting(model: Model): { model: Model; runCount: () => number } {
  let runCount = 0
  const run: Model['session']['run'] = (inputs) => {
    runCount += 1
    return model.session.run(inputs)
  }
  return { model: { ...model, session: { ...model.session, run } }, runCount: () => runCount }
}

const request = (body: unknown, contentType = 'application/json'): ModelRequest => ({
  contentType,
  accept: undefined,
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
})

/** Random rows in the one form that every model takes: whole inputs by name. */
function randomRequest({ session }: Model, rowCount: number, seed: number): ModelRequest {
  const inputs = sampleInputs(session.signature, { rowCount, openDim: 3 }, seededRandom(seed))
  assert.ok(inputs)
  return request({ inputs: Object.fromEntries(inputs.map((input) => [input.name, nest(input)])) })
}

const parse = ({ body }: ModelReply): unknown => JSON.parse(Buffer.from(body).toString())

/** Equal but for rounding. */
function assertClose(given: unknown, expected: unknown): void {
  if (typeof given === 'number' && typeof expected === 'number') {
    const tolerance = 1e-4 * Math.max(1, Math.abs(expected))
    assert.ok(Math.abs(given - expected) <= tolerance, `${given} instead of ${expected}`)
  } else if (typeof given === 'object' && given !== null) {
    assert.ok(typeof expected === 'object' && expected !== null)
    assert.deepEqual(Object.keys(given), Object.keys(expected))
    for (const [key, value] of Object.entries(given)) {
      assertClose(value, (expected as Record<string, unknown>)[key])
    }
  } else assert.equal(given, expected)
}

const BATCHED = [
  'affine.onnx',
  'image.onnx',
  'iris-tensor.onnx',
  'iris-zipmap.onnx',
  'sums.onnx',
  'identity-float16.onnx',
  'identity-int64.onnx',
  'identity-string.onnx',
  'identity-bool.onnx',
] as const

for (const name of BATCHED) {
  test(`${name}: what waits together is answered as it would be one by one`, async () => {
    const { model, runCount } = counting(await load(name))
    const alone = createBatcher(model, false)
    const together = createBatcher(model, true)
    const rowCounts = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 9 })
    let savedRunCount = 0
    await fc.assert(
      fc.asyncProperty(rowCounts, fc.nat(), async (counts, seed) => {
        const requests = counts.map((count, index) => randomRequest(model, count, seed + index))
        const before = runCount()
        const expected = await askAtOnce(alone, requests)
        const aloneCount = runCount() - before
        const given = await askAtOnce(together, requests)
        savedRunCount += aloneCount - (runCount() - before - aloneCount)
        assert.deepEqual(
          given.map(({ status }) => status),
          requests.map(() => 200),
        )
        assertClose(given.map(parse), expected.map(parse))
      }),
      { numRuns: 15 },
    )
    assert.ok(savedRunCount > 0, 'nothing was batched')
  })
}

const NOT_BATCHED = [
  { name: 'total.onnx', why: /no open batch dimension/ },
  { name: 'batch-of-one.onnx', why: /no open batch dimension/ },
  { name: 'heavy.onnx', why: /./ },
] as const

for (const { name, why } of NOT_BATCHED) {
  test(`${name} is not batched: ${why.source}`, async () => {
    const model = await load(name)
    const verdict = await judgeBatching(model.session)
    assert.equal(verdict.kind, 'not-batched')
    assert.match('reason' in verdict ? verdict.reason : '', why)
  })
}

test('a model whose rows influence each other is found out and not batched', async () => {
  const model = await load('affine.onnx')
  // As one that subtracts the mean of the batch.
  const run: Model['session']['run'] = async (inputs) => {
    const outputs = await model.session.run(inputs)
    return outputs.map((output) => {
      const values = Float32Array.from(output.elements, Number)
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length
      return { ...output, elements: values.map((value) => value - mean) }
    })
  }
  const entangled = counting({ ...model, session: { ...model.session, run } })
  const verdict = await judgeBatching(entangled.model.session)
  assert.match('reason' in verdict ? verdict.reason : '', /influence each other/)
  const requests = [1, 2, 3].map((seed) => randomRequest(model, 1, seed))
  const expected = await askAtOnce(createBatcher(entangled.model, false), requests)
  const given = await askAtOnce(createBatcher(entangled.model), requests)
  assert.deepEqual(given.map(parse), expected.map(parse))
})

test('requests of different forms share a run, and a bad one among them is refused alone', async () => {
  const { model, runCount } = counting(await load('affine.onnx'))
  const batcher = createBatcher(model)
  await askAtOnce(batcher, [request([[0, 0, 0]]), request([[0, 0, 0]])])
  const before = runCount()
  const replies = await askAtOnce(batcher, [
    request({ instances: [[1, 2, 3]] }),
    request('1,2,3\n4,5,6\n', 'text/csv'),
    request({ instances: [[1, 2]] }),
    request('not json'),
    request({ inputs: [[1, 2, 3]] }),
  ])
  assert.deepEqual(
    replies.map(({ status }) => status),
    [200, 200, 400, 400, 200],
  )
  assert.equal(runCount() - before, 1)
})

test('a run that fails for one caller is repeated for each, and only that one fails', async () => {
  const model = await load('affine.onnx')
  const run: Model['session']['run'] = (inputs) => {
    const isBad = Array.from(inputs[0]?.elements ?? [], Number).includes(666)
    return isBad ? Promise.reject(new Error('no such row')) : model.session.run(inputs)
  }
  const fragile = { ...model, session: { ...model.session, run } }
  const batcher = createBatcher(fragile)
  const replies = await askAtOnce(
    batcher,
    [1, 666, 3].map((value) => request({ instances: [[value, 0, 0]] })),
  )
  assert.deepEqual(
    replies.map(({ status }) => status),
    [200, 500, 200],
  )
})

test('a model that knows only some texts is judged by the rows of its callers', async () => {
  const { model, runCount } = counting(await load('passengers.onnx'))
  const batcher = createBatcher(model)
  const passenger = (age: number, sex: string) => request([{ age, fare: 7.25, class: 3, sex }])
  const requests = [passenger(22, 'male'), passenger(38, 'female'), passenger(4, 'male')]
  const expected = await askAtOnce(createBatcher(model, false), requests)
  const counts: number[] = []
  for (let round = 0; round < 3; round += 1) {
    const before = runCount()
    const given = await askAtOnce(batcher, requests)
    counts.push(runCount() - before)
    assertClose(given.map(parse), expected.map(parse))
  }
  // Random rows fail at once and the first runs alone; the other two are tried one by one and together, and then run.
  assert.deepEqual(counts, [1 + 1 + 3 + 1, 1, 1])
})
