import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'

import { disposeBerth, startBerth } from '../support/berth.ts'
import { ensureModelPython, ensureSdkPython } from '../support/model-python.ts'
import { serveEndpoint } from '../support/serving.ts'
import { fixtureModel, packModel, uploadModel } from '../support/upload.ts'

/** One line of roundtrips.py. Expected words mean an error that has them all; a number is its status. */
interface RoundTrip {
  readonly given: string
  readonly expected: unknown
  readonly got: unknown
}

const ROUND_TRIPS = join(import.meta.dirname, 'sdk/roundtrips.py')
const ARRAYS =
  'def model_fn(d): return 0\ndef predict_fn(data, model): return data.toarray() if hasattr(data, "toarray") else data\n'
const BYTES = `
def model_fn(d): return 0
def input_fn(body, content_type): return "%s %s %s" % (content_type, type(body).__name__, bytes(body).decode())
def predict_fn(data, model): return data
def output_fn(prediction, accept): return prediction, accept
`
const MAKE_BOOSTER = `
import sys, numpy, xgboost
rows = numpy.array([[value, 1 - value] for value in (0.0, 0.2, 0.8, 1.0)] * 10)
matrix = xgboost.DMatrix(rows, (rows[:, 0] > 0.5).astype(int))
xgboost.train({"objective": "binary:logistic", "min_child_weight": 0}, matrix, 5).save_model(sys.argv[1])
`

const python = await ensureModelPython()
const sdk = await ensureSdkPython()
const folder = mkdtempSync(join(tmpdir(), 'berth-sdk-'))
const berth = await startBerth({ environment: { BERTH_PYTHON: python } })
after(async () => {
  rmSync(folder, { recursive: true })
  await disposeBerth(berth)
})

const run = promisify(execFile)
const boosterPath = join(folder, 'booster.ubj')
await run(python, ['-c', MAKE_BOOSTER, boosterPath])
const served = [
  ['affine', 'berth/onnx', { 'model.onnx': fixtureModel('affine.onnx') }],
  [
    'classes',
    'berth/onnx',
    {
      'model.onnx': fixtureModel('iris-zipmap.onnx'),
      'labels.txt': 'setosa\nversicolor\nvirginica\n',
    },
  ],
  ['arrays', 'berth/python', { 'inference.py': ARRAYS }],
  ['bytes', 'berth/python', { 'inference.py': BYTES }],
  ['booster', 'berth/python', { 'xgboost-model': readFileSync(boosterPath) }],
] as const
await Promise.all(
  served.map(async ([name, image, files]) => {
    const modelDataUrl = await uploadModel(berth, `${name}.tar.gz`, await packModel(files))
    const environment = { SAGEMAKER_MODEL_SERVER_WORKERS: '1' }
    await serveEndpoint(berth, { name, image, modelDataUrl, environment })
  }),
)

const { stdout } = await run(sdk, [ROUND_TRIPS], {
  maxBuffer: 16 * 1024 * 1024,
  env: {
    PATH: process.env['PATH'],
    HOME: folder,
    AWS_ENDPOINT_URL: berth.url,
    AWS_ACCESS_KEY_ID: berth.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: berth.credentials.secretAccessKey,
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
  },
})
// The SDK prints of its own, too.
const trips = stdout
  .split('\n')
  .filter((line) => line.startsWith('{"given"'))
  .map((line) => JSON.parse(line) as RoundTrip)

test('every serializer and deserializer was tried', () => {
  assert.equal(trips.length, 65, stdout)
})

for (const { given, expected, got } of trips) {
  test(given, () => {
    if (!isWords(expected)) return assert.deepEqual(got, expected)
    for (const word of expected.filter((each) => each !== 0)) {
      const text = typeof word === 'number' ? `(${word})` : word
      assert.ok(String(got).includes(text), `${text} in ${String(got)}`)
    }
  })
}

function isWords(expected: unknown): expected is readonly (string | number)[] {
  return Array.isArray(expected) && typeof expected.at(-1) === 'number'
}
