import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { encodeNpy, parseNpy } from '../../src/modelserver/codecs/npy.ts'
import { findModel } from '../../src/modelserver/onnx/find-model.ts'
import { loadModel } from '../../src/modelserver/onnx/model.ts'
import type { Model } from '../../src/modelserver/onnx/model.ts'
import { ask as answer } from '../support/ask-model.ts'

const models = join(import.meta.dirname, '../fixtures/models')
const scratch = await mkdtemp(join(tmpdir(), 'berth-model-'))
after(() => rm(scratch, { recursive: true }))

/** Writes a model directory: fixture names or texts by path. */
let directoryCount = 0
async function directory(
  files: Readonly<Record<string, { fixture: string } | string>>,
): Promise<string> {
  directoryCount += 1
  const root = join(scratch, String(directoryCount))
  await mkdir(root)
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name)
    await mkdir(dirname(path), { recursive: true })
    if (typeof content === 'string') await writeFile(path, content)
    else await copyFile(join(models, content.fixture), path)
  }
  return root
}

async function load(fixture: string, labels?: string): Promise<Model> {
  const files = {
    'model.onnx': { fixture },
    ...(labels === undefined ? {} : { 'labels.txt': labels }),
  }
  return loadModel(await findModel(await directory(files)))
}

async function ask(model: Model, contentType: string, body: string | Buffer, accept?: string) {
  const reply = await answer(model, {
    contentType,
    accept,
    body: new Uint8Array(Buffer.from(body)),
  })
  return { ...reply, text: Buffer.from(reply.body).toString() }
}

const json = async (model: Model, body: unknown): Promise<unknown> => {
  const { text } = await ask(model, 'application/json', JSON.stringify(body))
  return JSON.parse(text)
}

test('a plain model in every pair of formats', async () => {
  const model = await load('affine.onnx')
  const npy = encodeNpy({
    type: 'float64',
    dims: [2, 3],
    elements: Float64Array.of(1, 0, 0, 0, 1, 0),
  })
  const requests = [
    ['application/json', '{"instances":[[1,0,0],[0,1,0]]}'],
    ['text/csv', '1,0,0\n0,1,0'],
    ['application/jsonlines', '[1,0,0]\n[0,1,0]\n'],
    ['application/x-npy', npy],
  ] as const
  for (const [contentType, body] of requests) {
    const given = `${contentType} to`
    const reply = (accept: string) => ask(model, contentType, body, accept)
    assert.equal(
      (await reply('application/json')).text,
      '{"predictions":[[1.5,3.5],[2.5,4.5]]}',
      given,
    )
    assert.equal((await reply('text/csv')).text, '1.5,3.5\n2.5,4.5\n', given)
    assert.equal((await reply('application/jsonlines')).text, '[1.5,3.5]\n[2.5,4.5]\n', given)
    const array = await reply('application/x-npy')
    assert.equal(array.contentType, 'application/x-npy')
    const { dims, elements } = parseNpy(Buffer.from(array.body))
    assert.deepEqual(
      [dims, [...elements]],
      [
        [2, 2],
        [1.5, 3.5, 2.5, 4.5],
      ],
      given,
    )
  }
})

test('a ZipMap of integer classes: the labels come from the node', async () => {
  const model = await load('iris-zipmap.onnx')
  assert.deepEqual(model.session.signature.outputs.at(-1)?.dims, ['?', 3])
  const reply = await json(model, { instances: [[5.1, 3.5, 1.4, 0.2]] })
  const { predictions } = reply as {
    predictions: { label: number; probabilities: Record<string, number> }[]
  }
  assert.equal(predictions[0]?.label, 0)
  assert.deepEqual(Object.keys(predictions[0]?.probabilities ?? {}), ['0', '1', '2'])
  assert.ok((predictions[0]?.probabilities['0'] ?? 0) > 0.9)
})

test('a ZipMap of string classes, and the same model without ZipMap named by labels.txt, agree', async () => {
  const names = ['setosa', 'versicolor', 'virginica']
  const row = { instances: [[6.3, 3.3, 6, 2.5]] }
  const zipMap = await json(await load('iris-zipmap-names.onnx'), row)
  const tensor = await json(await load('iris-tensor.onnx', names.join('\n')), row)
  for (const reply of [zipMap, tensor]) {
    const { predictions } = reply as { predictions: { label: string; probabilities: object }[] }
    assert.equal(predictions[0]?.label, 'virginica')
    assert.deepEqual(Object.keys(predictions[0].probabilities), names)
  }
})

test('mixed columns of strings and numbers, by name and as CSV, give the same answer', async () => {
  const model = await load('passengers.onnx')
  const named = await ask(
    model,
    'application/json',
    '[{"age":22,"fare":7.25,"class":3,"sex":"male"}]',
    'text/csv',
  )
  const csv = await ask(model, 'text/csv', '22,7.25,3,"male"', 'text/csv')
  assert.equal(csv.status, 200)
  assert.equal(csv.text, named.text)
  assert.match(csv.text, /^0,0\.\d+,0\.\d+\n$/)
})

test('flat and shaped images are the same', async () => {
  const model = await load('image.onnx')
  const flat = Array.from({ length: 64 }, (_, index) => Math.floor(index / 8))
  const shaped = Array.from({ length: 8 }, (_, row) => Array.from({ length: 8 }, () => row))
  const expected = { predictions: [[0, 1, 2, 3, 4, 5, 6, 7]] }
  assert.deepEqual(await json(model, { instances: [flat] }), expected)
  assert.deepEqual(await json(model, { instances: [shaped] }), expected)
  assert.deepEqual(await json(model, { instances: [[shaped]] }), expected)
})

const ELEMENTS: Readonly<Record<string, readonly unknown[]>> = {
  float16: [1.5, 'NaN'],
  float32: [-2.5, 'Infinity'],
  float64: [0.1, 1e300],
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32_768, 32_767],
  uint16: [0, 65_535],
  int32: [-2_147_483_648, 2_147_483_647],
  uint32: [0, 4_294_967_295],
  int64: [5, '-9223372036854775808'],
  uint64: [5, '18446744073709551615'],
  bool: [true, false],
  string: ['a', 'ü"'],
}

for (const [type, row] of Object.entries(ELEMENTS)) {
  test(`elements of ${type} go through a model unchanged`, async () => {
    const model = await load(`identity-${type}.onnx`)
    assert.deepEqual(await json(model, { instances: [row, row] }), { predictions: [row, row] })
  })
}

test('what JSON has no number for is a string', async () => {
  const model = await load('log.onnx')
  assert.deepEqual(await json(model, { instances: [-1, 0, 1] }), {
    predictions: ['NaN', '-Infinity', 0],
  })
})

test('several inputs and outputs, as rows and as columns', async () => {
  const model = await load('sums.onnx')
  const rows = { instances: [{ a: [3, 4], b: [1, 1] }] }
  assert.deepEqual(await json(model, rows), { predictions: [{ sum: [4, 5], difference: [2, 3] }] })
  const columns = { inputs: { a: [[3, 4]], b: [[1, 1]] } }
  assert.deepEqual(await json(model, columns), { outputs: { sum: [[4, 5]], difference: [[2, 3]] } })
})

test('an output without rows can be had only as columns', async () => {
  const model = await load('total.onnx')
  const rows = await ask(model, 'application/json', '[[1,2],[3,4]]')
  assert.equal(rows.status, 500)
  assert.match(rows.text, /no rows in common/)
  const columns = {
    outputs: {
      negative: [
        [-1, -2],
        [-3, -4],
      ],
      total: 10,
    },
  }
  assert.deepEqual(
    await json(model, {
      inputs: [
        [1, 2],
        [3, 4],
      ],
    }),
    columns,
  )
})

test('a batch dimension fixed at one takes exactly one row', async () => {
  const model = await load('batch-of-one.onnx')
  assert.deepEqual(await json(model, { instances: [[1, 2, 3]] }), { predictions: [[-1, -2, -3]] })
  const two = await ask(model, 'application/json', '[[1,2,3],[4,5,6]]')
  assert.equal(two.status, 400)
  assert.match(two.text, /shape \[2, 3\]. The model takes inputs: x float32 \[1, 3\]/)
})

test('refusals keep their status: 400, 406, 415', async () => {
  const model = await load('affine.onnx')
  assert.equal((await ask(model, 'application/json', '[[1,2]]')).status, 400)
  assert.equal((await ask(model, 'application/json', '[[1,2,3]]', 'image/png')).status, 406)
  assert.equal((await ask(model, 'application/octet-stream', 'x')).status, 415)
})

test('weights in a file beside the model are found', async () => {
  const root = await directory({
    'net/1/model.onnx': { fixture: 'external.onnx' },
    'net/1/external.onnx.data': { fixture: 'external.onnx.data' },
    'net/1/._model.onnx': 'left by a Mac',
  })
  const model = await loadModel(await findModel(root))
  assert.deepEqual(await json(model, { instances: [[1, 0, 0]] }), { predictions: [[1.5, 3.5]] })
})

const NOT_LOADED: readonly {
  readonly given: string
  readonly files: Parameters<typeof directory>[0]
  readonly reason: string
  readonly message: RegExp
}[] = [
  {
    given: 'nothing',
    files: {},
    reason: 'modelMissing',
    message: /^no model.onnx in \/opt\/ml\/model \(it is empty\)$/,
  },
  {
    given: 'other files',
    files: { 'a.txt': '', 'b/c.txt': '' },
    reason: 'modelMissing',
    message: /^no model.onnx in \/opt\/ml\/model \(found: a.txt, b\/\)$/,
  },
  {
    given: 'two models',
    files: { 'a.onnx': '', '1/b.onnx': '' },
    reason: 'modelMissing',
    message: /found 2 ONNX files: 1\/b.onnx, a.onnx/,
  },
  {
    given: 'weights without their file',
    files: { 'model.onnx': { fixture: 'external.onnx' } },
    reason: 'modelMissing',
    message: /^model.onnx keeps its weights in external.onnx.data, which is not beside it$/,
  },
  {
    given: 'an empty file',
    files: { 'model.onnx': '' },
    reason: 'modelInvalid',
    message: /^model.onnx is not a valid ONNX file: it is empty$/,
  },
  {
    given: 'a web page',
    files: { 'm/x.onnx': '<!doctype html>' },
    reason: 'modelInvalid',
    message: /^m\/x.onnx is not a valid ONNX file: it is an HTML/,
  },
  {
    given: 'text',
    files: { 'model.onnx': 'hello world, this is no model' },
    reason: 'modelInvalid',
    message: /is not a valid ONNX file: /,
  },
  {
    given: 'an unknown opset',
    files: { 'model.onnx': { fixture: 'opset99.onnx' } },
    reason: 'modelUnsupported',
    message: /^model.onnx uses opset 99, this runtime supports up to \d+$/,
  },
  {
    given: 'an unknown operator',
    files: { 'model.onnx': { fixture: 'unknown-operator.onnx' } },
    reason: 'modelUnsupported',
    message: /uses the operator Frobnicate/,
  },
  {
    given: 'a sequence output',
    files: { 'model.onnx': { fixture: 'sequence.onnx' } },
    reason: 'modelUnsupported',
    message: /^model.onnx: the output parts is a sequence or map/,
  },
  {
    given: 'labels that do not fit',
    files: { 'model.onnx': { fixture: 'iris-tensor.onnx' }, 'labels.txt': 'a\nb' },
    reason: 'labelsInvalid',
    message: /has 2 labels, and the model has 3 classes/,
  },
]

for (const { given, files, reason, message } of NOT_LOADED) {
  test(`does not load ${given}, and says why`, async () => {
    const root = await directory(files)
    await assert.rejects(async () => loadModel(await findModel(root)), {
      name: 'StartFailure',
      reason,
      message,
    })
  })
}

test('a model cut short at any byte is refused in words, or still whole', async () => {
  const whole = await import('node:fs/promises').then(({ readFile }) =>
    readFile(join(models, 'iris-zipmap.onnx')),
  )
  const root = await directory({})
  for (let length = 0; length < whole.length; length += 37) {
    await writeFile(join(root, 'model.onnx'), whole.subarray(0, length))
    await assert.rejects(async () => loadModel(await findModel(root)), {
      name: 'StartFailure',
      reason: 'modelInvalid',
    })
  }
})
