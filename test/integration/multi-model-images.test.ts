import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'

import { InvokeEndpointCommand, ModelError } from '@aws-sdk/client-sagemaker-runtime'

import { disposeBerth, startBerth } from '../support/berth.ts'
import type { RunningBerth } from '../support/berth.ts'
import { ensureModelPython } from '../support/model-python.ts'
import { numberedModel } from '../support/numbered-models.ts'
import { describeInside, readyInstances, serveEndpoint } from '../support/serving.ts'
import { until } from '../support/until.ts'
import { packModel, uploadModel } from '../support/upload.ts'

// Answers its own name; dies when it is told to.
const HANDLER = `
import json, os, signal
def model_fn(model_dir):
    with open(os.path.join(model_dir, "name.txt")) as file: return file.read()
def input_fn(body, content_type): return json.loads(body)
def predict_fn(what, name):
    if what == "die": os.kill(os.getpid(), signal.SIGKILL)
    return {"name": name}
`

const NODE_HANDLER = `
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
export const modelFn = (modelDirectory: string) => readFileSync(join(modelDirectory, 'name.txt'), 'utf8')
export function predictFn(what: unknown, name: string) {
  if (what === 'die') process.exit(3)
  return { name }
}
`

let berth: RunningBerth
before(async () => {
  berth = await startBerth({ environment: { BERTH_PYTHON: await ensureModelPython() } })
})
after(() => disposeBerth(berth))

async function invoke(name: string, targetModel: string, body: unknown): Promise<unknown> {
  const { Body } = await berth.runtime.send(
    new InvokeEndpointCommand({
      EndpointName: name,
      TargetModel: targetModel,
      ContentType: 'application/json',
      Body: JSON.stringify(body),
    }),
  )
  return JSON.parse(Body.transformToString())
}

suite('berth/python with many models', () => {
  before(async () => {
    for (const name of ['acme', 'globex']) {
      const archive = await packModel({ 'name.txt': name, 'code/inference.py': HANDLER })
      await uploadModel(berth, `python/${name}.tar.gz`, archive)
    }
    const broken = await packModel({ 'inference.py': 'raise ValueError("no such tenant")' })
    await uploadModel(berth, 'python/broken.tar.gz', broken)
    await serveEndpoint(berth, {
      name: 'python',
      image: 'berth/python',
      modelDataUrl: 's3://models/python/',
      multiModel: { isCaching: true },
    })
  })

  test('each runs its own code, asked at the same time', async () => {
    const names = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? 'acme' : 'globex'))
    const answers = await Promise.all(names.map((name) => invoke('python', `${name}.tar.gz`, 1)))
    assert.deepEqual(
      answers,
      names.map((name) => ({ name })),
    )
  })

  test('one whose code ends its process takes its own invocation with it, and answers again', async () => {
    const instances = await readyInstances(berth, 'python')
    await assert.rejects(invoke('python', 'acme.tar.gz', 'die'), ModelError)
    assert.deepEqual(await invoke('python', 'globex.tar.gz', 1), { name: 'globex' })
    // Its only process is being started again: until then the model answers 503.
    const answer = await until('acme to answer again', () =>
      invoke('python', 'acme.tar.gz', 1).catch(() => undefined),
    )
    assert.deepEqual(answer, { name: 'acme' })
    assert.deepEqual(await readyInstances(berth, 'python'), instances)
  })

  test('one whose code cannot be loaded says why and is held back', async () => {
    await assert.rejects(invoke('python', 'broken.tar.gz', 1), {
      name: 'ModelError',
      message: /Model broken\.tar\.gz could not be loaded: .*no such tenant/s,
    })
    const { events } = await describeInside(berth, 'python')
    assert.ok(events.some(({ kind }) => kind === 'model-quarantined'))
  })
})

suite('berth/node with many models', () => {
  before(async () => {
    for (const name of ['acme', 'globex']) {
      const archive = await packModel({ 'name.txt': name, 'code/inference.ts': NODE_HANDLER })
      await uploadModel(berth, `node/${name}.tar.gz`, archive)
    }
    const broken = await packModel({ 'inference.mjs': 'throw new Error("no such tenant")' })
    await uploadModel(berth, 'node/broken.tar.gz', broken)
    await serveEndpoint(berth, {
      name: 'node',
      image: 'berth/node',
      modelDataUrl: 's3://models/node/',
      multiModel: { isCaching: true },
    })
  })

  test('each runs its own code, asked at the same time', async () => {
    const names = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? 'acme' : 'globex'))
    const answers = await Promise.all(names.map((name) => invoke('node', `${name}.tar.gz`, 1)))
    assert.deepEqual(
      answers,
      names.map((name) => ({ name })),
    )
  })

  test('one whose code ends its thread takes its own invocation with it, and answers again', async () => {
    const instances = await readyInstances(berth, 'node')
    await assert.rejects(invoke('node', 'acme.tar.gz', 'die'), ModelError)
    assert.deepEqual(await invoke('node', 'globex.tar.gz', 1), { name: 'globex' })
    const answer = await until('acme to answer again', () =>
      invoke('node', 'acme.tar.gz', 1).catch(() => undefined),
    )
    assert.deepEqual(answer, { name: 'acme' })
    assert.deepEqual(await readyInstances(berth, 'node'), instances)
  })

  test('one whose code cannot be loaded says why', async () => {
    await assert.rejects(invoke('node', 'broken.tar.gz', 1), {
      name: 'ModelError',
      message: /Model broken\.tar\.gz could not be loaded: .*no such tenant/s,
    })
  })
})

suite('berth/triton with many models', () => {
  before(async () => {
    for (const number of [3, 4]) {
      const archive = await packModel({ 'numbered/1/model.onnx': numberedModel(number) })
      await uploadModel(berth, `triton/m${number}.tar.gz`, archive)
    }
    await serveEndpoint(berth, {
      name: 'triton',
      image: 'berth/triton',
      modelDataUrl: 's3://models/triton/',
      multiModel: { isCaching: true },
    })
  })

  test('each answers as itself', async () => {
    const x = { name: 'x', datatype: 'FP32', shape: [1, 1], data: [7] }
    for (const number of [3, 4, 3]) {
      const answer = await invoke('triton', `m${number}.tar.gz`, { inputs: [x] })
      assert.partialDeepStrictEqual(answer, { outputs: [{ name: 'y', data: [number] }] })
    }
  })
})
