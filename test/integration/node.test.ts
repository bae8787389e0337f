import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'

import { ImageServer } from '../support/image-server.ts'
import type { ImageServerOptions } from '../support/image-server.ts'
import { TEST_PACKAGE } from '../support/node-packages.ts'
import { until } from '../support/until.ts'

async function serve(
  code: string,
  options: Partial<ImageServerOptions> = {},
): Promise<ImageServer> {
  const files = { 'code/inference.ts': code, ...options.files }
  const server = new ImageServer('berth/node', { ...options, files })
  await server.ready()
  return server
}

suite('the handler contract', () => {
  test('all four functions, sync and async, with their arguments and context', async () => {
    await using server = await serve(`
export async function modelFn(modelDirectory: string): Promise<readonly string[]> { return ['model', modelDirectory.split('/').at(-1) ?? ''] }
export function inputFn(body: string | Uint8Array, contentType: string, context: any) {
  return [typeof body === 'string' ? 'text' : 'bytes', contentType, context.headers['x-amzn-sagemaker-custom-attributes']]
}
export const predictFn = async (data: string[], model: string[]) => [...data, ...model]
export const outputFn = (prediction: string[], accept: string, context: any) => {
  context.setHeader('X-Amzn-SageMaker-Custom-Attributes', 'seen')
  context.setStatus(201)
  return [[...prediction, accept].join(';'), 'text/plain']
}`)
    const headers = { 'x-amzn-sagemaker-custom-attributes': 'a=1' }
    const json = await server.ask('{}', { accept: 'text/csv, */*', headers })
    assert.equal(json.text, 'text;application/json;a=1;model;model;text/csv, */*')
    assert.equal(json.status, 201)
    assert.equal(json.headers['content-type'], 'text/plain')
    assert.equal(json.headers['x-amzn-sagemaker-custom-attributes'], 'seen')
    const bytes = await server.ask(Buffer.from([1, 2]), { type: 'application/x-image', headers })
    assert.equal(bytes.text, 'bytes;application/x-image;a=1;model;model;application/json')
  })

  test('transformFn replaces the other three', async () => {
    await using server = await serve(`
export const transformFn = (model: unknown, body: string, _type: string, _accept: string, { setStatus, setHeader }: any) => {
  setStatus(202)
  setHeader('X-Amzn-SageMaker-Custom-Attributes', 'taken out')
  return [String(model) + body, 'text/plain']
}`)
    const { text, status, headers } = await server.ask('{}')
    assert.deepEqual([text, status], ['undefined{}', 202])
    assert.equal(headers['x-amzn-sagemaker-custom-attributes'], 'taken out')
  })

  const CODECS = [
    { type: 'application/json', body: '[[1,2],[3,4]]', accept: 'text/csv', text: '1,2\n3,4\n' },
    { type: 'text/csv', body: '1,2\n3,a\n', accept: 'application/json', text: '[[1,2],[3,"a"]]' },
    { type: 'text/csv; charset=utf-8', body: '7,8', accept: 'text/html, text/csv', text: '7,8\n' },
    { type: 'application/jsonlines', body: '{"a":1}\n[2]\n', accept: '*/*', text: '[{"a":1},[2]]' },
  ]
  test('the default codecs, and npy there and back', async () => {
    await using server = await serve('export const predictFn = (data: unknown) => data')
    for (const { type, body, accept, text } of CODECS) {
      assert.equal((await server.ask(body, { type, accept })).text, text, `${type} → ${accept}`)
    }
    const npy = await server.ask('[[1,2.5]]', { accept: 'application/x-npy' })
    assert.equal(npy.headers['content-type'], 'application/x-npy')
    const back = await server.ask(npy.bytes, { type: 'application/x-npy' })
    assert.equal(back.text, '[[1,2.5]]')
    const refused = await server.ask('x', { type: 'image/png' })
    assert.equal(refused.status, 500)
    assert.match(refused.text, /^Content type image\/png is not supported by this framework\.\n/)
  })

  test('defineModel without a signature: load, decode, predict, encode', async () => {
    await using server = await serve(`
import { defineModel, StatusError } from 'berth/model'
export default defineModel({
  load: ({ modelDirectory }) => ({ folder: modelDirectory.split('/').at(-1) }),
  decode: (body, { contentType }): string[] => {
    if (contentType !== 'application/json') throw new StatusError(415, 'Send JSON.')
    return JSON.parse(String(body))
  },
  predict: (words, { model, requestId }) => ({ shouted: words.map((word) => word.toUpperCase()), ...model, hasId: requestId !== '' }),
  encode: (output, { accept }) => [JSON.stringify({ ...output, accept }), 'application/json'],
})`)
    const { text } = await server.ask('["a"]', { accept: 'application/json' })
    assert.deepEqual(JSON.parse(text), {
      shouted: ['A'],
      folder: 'model',
      hasId: true,
      accept: 'application/json',
    })
    const refused = await server.ask('x', { type: 'text/plain' })
    assert.deepEqual([refused.status, refused.text], [415, 'Send JSON.'])
  })

  test('defineModel with a signature takes the formats of berth/onnx', async () => {
    await using server = await serve(`
import { defineModel, textsOf } from 'berth/model'
export default defineModel({
  signature: {
    inputs: { x: { datatype: 'FP32', dims: [2] }, name: { datatype: 'BYTES', dims: [1] } },
    outputs: { sum: { datatype: 'FP64', dims: [1] }, text: { datatype: 'BYTES', dims: [1] } },
    maxBatchSize: 8,
  },
  predict({ x, name }, { requests }) {
    const rowCount = x.shape[0] ?? 0
    const sums = Float64Array.from({ length: rowCount }, (_, row) => (x.data[2 * row] ?? 0) + (x.data[2 * row + 1] ?? 0))
    const texts = textsOf(name).map((text) => text + requests.length)
    return { sum: { shape: [rowCount, 1], data: sums }, text: { shape: [rowCount, 1], data: texts } }
  },
})`)
    const rows = {
      instances: [
        { x: [1, 2], name: ['a'] },
        { x: [3, 4.5], name: ['b'] },
      ],
    }
    const json = await server.ask(JSON.stringify(rows))
    assert.deepEqual(JSON.parse(json.text), {
      predictions: [
        { sum: [3], text: ['a1'] },
        { sum: [7.5], text: ['b1'] },
      ],
    })
    const csv = await server.ask('1,2,z\n', { type: 'text/csv', accept: 'text/csv' })
    assert.equal(csv.text, '3,z1\n')
    const wrong = await server.ask('{"instances":[{"x":[1],"name":["a"]}]}')
    assert.equal(wrong.status, 400)
    assert.match(
      wrong.text,
      /The model takes inputs: x float32 \[batch, 2\], name string \[batch, 1\]/,
    )
    const tooMany = await server.ask('1,2,z\n'.repeat(9), { type: 'text/csv' })
    assert.equal(tooMany.status, 400)
    assert.match(
      tooMany.text,
      /has 9 rows; at most 8 run together .* The model takes inputs: x float32/,
    )
  })

  const PLACES = [
    {
      given: 'SAGEMAKER_PROGRAM and SAGEMAKER_SUBMIT_DIRECTORY',
      environment: {
        SAGEMAKER_PROGRAM: 'serve',
        SAGEMAKER_SUBMIT_DIRECTORY: '/opt/ml/model/source',
      },
      file: 'source/serve.mjs',
      code: 'export const predictFn = () => 42',
    },
    {
      given: '"exports" of package.json',
      files: { 'code/package.json': '{"exports": {".": {"import": "./src/main.ts"}}}' },
      file: 'code/src/main.ts',
      code: 'export const predictFn = (): number => 42',
    },
    {
      given: '"main" of package.json, with CommonJS',
      files: { 'package.json': '{"main": "lib/main.js", "type": "commonjs"}' },
      file: 'lib/main.js',
      code: "const path = require('node:path')\nmodule.exports = { predictFn: () => path.basename('/42') }",
    },
    {
      given: '"main" of package.json, without its file, and inference.js of "type": "module"',
      files: { 'code/package.json': '{"main": "index.js", "type": "module"}' },
      file: 'code/inference.js',
      code: 'export const predictFn = () => 42',
    },
  ]
  for (const { given, environment, files, file, code } of PLACES) {
    test(`user code is found by ${given}`, async () => {
      await using server = new ImageServer('berth/node', {
        files: { ...files, [file]: code },
        ...(environment !== undefined && { environment }),
      })
      await server.ready()
      assert.match((await server.ask('[]')).text, /^"?42"?$/)
    })
  }

  test('a throw is a 500 with message and stack, from the user’s code on, and is in the log', async () => {
    await using server = await serve(
      "export function predictFn(): never {\n  throw new RangeError('it is not my day')\n}",
    )
    const { status, text } = await server.ask('[]')
    assert.equal(status, 500)
    assert.match(
      text,
      /^it is not my day\nRangeError: it is not my day\n {4}at predictFn \(file:[^\n]+code\/inference\.ts:2:9\)\n$/,
    )
    await until('the log', () => server.output.includes('RangeError: it is not my day'))
  })

  test('berth’s ONNX Runtime is there for the asking', async () => {
    await using server = await serve(`
import * as ort from 'onnxruntime-node'
export const predictFn = () => [typeof ort.InferenceSession.create, new ort.Tensor('float32', [1, 2], [2]).size]
`)
    assert.equal((await server.ask('[]')).text, '["function",2]')
  })
})

suite('streaming', () => {
  const PARTS = `
export async function* predictFn(order: string) {
  yield 'one '
  yield new TextEncoder().encode('two ')
  if (order === 'break') throw new Error('no more')
  while (order === 'endless') yield 'x'.repeat(65536)
  yield { three: 3n }
}`
  test('an async generator’s parts come as they are made', async () => {
    await using server = await serve(PARTS)
    const { status, text, headers } = await server.ask('"all"')
    assert.deepEqual([status, text], [200, 'one two {"three":3}\n'])
    assert.equal(headers['transfer-encoding'], 'chunked')
  })

  test('an error in the middle breaks the reply off', async () => {
    await using server = await serve(PARTS)
    await assert.rejects(server.ask('"break"'))
    assert.equal((await server.ask('"all"')).status, 200)
  })

  test('a reader that leaves ends the generator, and the thread goes on', async () => {
    await using server = await serve(PARTS)
    const leaving = new AbortController()
    const reply = await server.open('"endless"', { signal: leaving.signal })
    for await (const chunk of reply.body) {
      assert.ok(chunk)
      break
    }
    leaving.abort()
    assert.equal((await server.ask('"all"')).status, 200)
    assert.doesNotMatch(server.output, /Node worker died/)
  })
})

suite('packages', () => {
  test('dependencies are installed once, and their install scripts do not run', async () => {
    const files = {
      ...TEST_PACKAGE,
      'code/package.json': '{"dependencies": {"berth-test-answers": "file:./vendor/answers"}}',
    }
    const code =
      "import { ANSWER, ran } from 'berth-test-answers'\nexport const predictFn = () => [ANSWER, ran]"
    await using server = await serve(code, { files })
    assert.equal((await server.ask('[]')).text, '[42,false]')
    await until('the log', () => server.output.includes('"node packages are being installed"'))
    const environments = readdirSync(join(server.folder, 'environments'))
    assert.equal(environments.filter((name) => name !== '.locks').length, 1)
  })

  test('install scripts that allowScripts names do run', async () => {
    const files = {
      ...TEST_PACKAGE,
      'code/package.json': JSON.stringify({
        dependencies: { 'berth-test-answers': 'file:./vendor/answers' },
        allowScripts: { 'berth-test-answers': true },
      }),
      'code/.npmrc': 'install-links=true\n',
    }
    const code = "import { ran } from 'berth-test-answers'\nexport const predictFn = () => ran"
    await using server = await serve(code, { files })
    assert.equal((await server.ask('[]')).text, 'true')
  })

  test('node_modules that came with the model are used as they are', async () => {
    const files = {
      'code/package.json': '{"dependencies": {"brought": "1.0.0"}}',
      'code/node_modules/brought/package.json': '{"main": "index.js"}',
      'code/node_modules/brought/index.js': 'module.exports = 7',
    }
    const code = "import brought from 'brought'\nexport const predictFn = () => brought"
    await using server = await serve(code, { files })
    assert.equal((await server.ask('[]')).text, '7')
  })
})

test('SIGTERM: what runs is answered, then it ends with 0', async () => {
  await using server = await serve(`
export async function predictFn() {
  console.log('begun')
  await new Promise((resolve) => setTimeout(resolve, 500))
  return 'done'
}`)
  const asked = server.ask('[]')
  await until('the call', () => server.output.includes('begun'))
  const ended = server.terminate()
  assert.equal((await asked).text, '"done"')
  assert.equal(await ended, 0)
})
