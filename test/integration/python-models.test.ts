import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, suite, test } from 'node:test'
import { promisify } from 'node:util'

import { ensureModelPython } from '../support/model-python.ts'
import { PythonServer } from '../support/python-server.ts'

const python = await ensureModelPython()
const folder = mkdtempSync(join(tmpdir(), 'berth-models-'))
after(() => rmSync(folder, { recursive: true }))

// Two features; the answer depends on the first alone.
const MAKE = `
import sys, joblib, pickle, numpy, xgboost, lightgbm
from sklearn.tree import DecisionTreeClassifier
folder = sys.argv[1]
rows = numpy.array([[value, 1 - value] for value in (0.0, 0.2, 0.8, 1.0)] * 10)
labels = (rows[:, 0] > 0.5).astype(int)
tree = DecisionTreeClassifier().fit(rows, labels)
joblib.dump(tree, folder + "/tree.joblib")
pickle.dump(tree, open(folder + "/tree.pkl", "wb"))
booster = xgboost.train({"objective": "binary:logistic", "min_child_weight": 0}, xgboost.DMatrix(rows, labels), 20)
booster.save_model(folder + "/booster.ubj")
booster.save_model(folder + "/booster.json")
pickle.dump(booster, open(folder + "/booster.pkl", "wb"))
dataset = lightgbm.Dataset(rows, labels, params={"min_data_in_leaf": 1, "verbose": -1})
lightgbm.train({"objective": "binary", "min_data_in_leaf": 1, "verbose": -1}, dataset, 20).save_model(folder + "/boosted.txt")
joblib.dump(lightgbm.LGBMClassifier(n_estimators=5, min_child_samples=1, verbose=-1).fit(rows, labels), folder + "/light.joblib")
joblib.dump(xgboost.XGBClassifier(n_estimators=5, min_child_weight=0).fit(rows, labels), folder + "/face.joblib")
`
await promisify(execFile)(python, ['-c', MAKE, folder])
const made = (name: string): Buffer => readFileSync(join(folder, name))

async function serve(files: Readonly<Record<string, string | Buffer>>): Promise<PythonServer> {
  const server = new PythonServer({ python, files })
  await server.ready()
  return server
}

suite('scikit-learn without code', () => {
  const CASES = [
    ['model.joblib', 'tree.joblib'],
    ['model.pkl', 'tree.pkl'],
    ['forest.joblib', 'tree.joblib'],
    ['model.joblib', 'face.joblib'],
    ['model.joblib', 'light.joblib'],
  ] as const
  for (const [name, source] of CASES) {
    test(`${source} as ${name}`, async () => {
      await using server = await serve({ [name]: made(source) })
      assert.equal((await server.ask('[[0.1, 0.9], [0.9, 0.1]]')).text, '[0, 1]')
      assert.equal((await server.ask('0.9,0.1', { type: 'text/csv' })).text, '[1]')
      const csv = await server.ask('0.1,0.9\n0.9,0.1', { type: 'text/csv', accept: 'text/csv' })
      assert.equal(csv.text, '0\n1\n')
    })
  }
})

suite('XGBoost without code answers as the built-in algorithm', () => {
  for (const [name, source] of [
    ['xgboost-model', 'booster.ubj'],
    ['xgboost-model', 'booster.json'],
    ['xgboost-model', 'booster.pkl'],
    ['model.ubj', 'booster.ubj'],
  ] as const) {
    test(`${source} as ${name}`, async () => {
      await using server = await serve({ [name]: made(source) })
      const { text, headers } = await server.ask('0.1,0.9\n0.9,', { type: 'text/csv' })
      const scores = text.trimEnd().split('\n').map(Number)
      assert.equal(headers['content-type'], 'text/csv')
      assert.ok((scores[0] ?? 1) < 0.5 && (scores[1] ?? 0) > 0.5, text)
    })
  }

  test('formats, and the statuses of what it refuses', async () => {
    await using server = await serve({ 'xgboost-model': made('booster.ubj') })
    const csv = (accept: string) => server.ask('0.9,0.1', { type: 'text/csv', accept })
    assert.match(
      (await csv('application/json')).text,
      /^\{"predictions": \[\{"score": 0\.\d+\}\]\}$/,
    )
    assert.match((await csv('application/jsonlines')).text, /^\{"score": 0\.\d+\}\n$/)
    const libsvm = await server.ask('1 1:0.9 2:0.1', { type: 'text/libsvm' })
    assert.equal(libsvm.text, (await csv('*/*')).text, 'indices that begin with 1')
    assert.equal((await server.ask('', { type: 'text/csv' })).status, 204)
    const refused = [
      await server.ask('x', { type: 'image/png' }),
      await server.ask('0.9,0.1,0.5', { type: 'text/csv' }),
      await csv('image/png'),
    ]
    assert.deepEqual(
      refused.map(({ status, text }) => [status, text.split('\n')[0]?.slice(0, 36)]),
      [
        [415, 'Loading image/png data failed with E'],
        [400, 'Unable to evaluate payload provided:'],
        [406, 'Accept type image/png is not support'],
      ],
    )
  })

  test('with an inference.py the defaults that it leaves', async () => {
    await using server = await serve({
      'xgboost-model': made('booster.ubj'),
      'code/inference.py': 'def output_fn(prediction, accept): return str(len(prediction))\n',
    })
    assert.equal((await server.ask('1,0\n0,1\n1,1', { type: 'text/csv' })).text, '3')
  })
})

suite('LightGBM without code gives the scores of its rows', () => {
  for (const name of ['model.txt', 'lightgbm-model']) {
    test(`a saved booster as ${name}`, async () => {
      await using server = await serve({ [name]: made('boosted.txt') })
      const asked = [
        await server.ask('[[0.1, 0.9], [0.9, 0.1]]'),
        await server.ask('0.1,0.9\n0.9,0.1', { type: 'text/csv' }),
      ]
      for (const { text } of asked) {
        const [low = 1, high = 0] = JSON.parse(text) as number[]
        assert.ok(low < 0.5 && high > 0.5, text)
      }
      const single = await server.ask('0.9,0.1', { type: 'text/csv', accept: 'text/csv' })
      assert.match(single.text, /^0\.[5-9]\d*\n$/)
      const wrong = await server.ask('0.9,0.1,0.3', { type: 'text/csv' })
      assert.deepEqual([wrong.status, /number of features/.test(wrong.text)], [500, true])
    })
  }
})
