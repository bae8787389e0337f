import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { promisify } from 'node:util'

import { InvokeEndpointCommand, ModelError } from '@aws-sdk/client-sagemaker-runtime'

import { disposeBerth, startBerth } from '../support/berth.ts'
import type { RunningBerth } from '../support/berth.ts'
import { ensureModelPython } from '../support/model-python.ts'
import { createConfig, serveEndpoint } from '../support/serving.ts'
import { packModel, uploadModel } from '../support/upload.ts'

const TRAIN = join(import.meta.dirname, '../fixtures/fruit/train.py')
const PROBABILITIES = 'def predict_fn(data, model): return model.predict_proba(data)\n'

let berth: RunningBerth
let fruit: readonly number[]
const folder = mkdtempSync(join(tmpdir(), 'berth-fruit-'))

before(async () => {
  const python = await ensureModelPython()
  const { stdout } = await promisify(execFile)(python, [TRAIN, folder])
  fruit = (JSON.parse(stdout) as { fruit: number[] }).fruit
  berth = await startBerth({ environment: { BERTH_PYTHON: python } })
  await Promise.all([
    ...['tree', 'linear', 'neighbours'].map((name) => serveModel(name, {})),
    serveModel('linear', { 'code/inference.py': PROBABILITIES }, 'linear-p'),
    serveModel('tree', { 'code/inference.py': PROBABILITIES }, 'tree-p'),
    serveEndpoint(berth, { name: 'echo' }),
  ])
})
after(async () => {
  await disposeBerth(berth)
  rmSync(folder, { recursive: true, force: true })
})

async function serveModel(
  model: string,
  files: Readonly<Record<string, string>>,
  name = model,
): Promise<void> {
  const joblib = readFileSync(join(folder, `${model}.joblib`))
  const archive = await packModel({ 'model.joblib': joblib, ...files })
  const modelDataUrl = await uploadModel(berth, `${name}.tar.gz`, archive)
  const environment = { SAGEMAKER_MODEL_SERVER_WORKERS: '1' }
  await serveEndpoint(berth, { name, image: 'berth/python', modelDataUrl, environment })
}

async function serveGraph(name: string, graph: object): Promise<void> {
  const text = JSON.stringify({ version: 1, ...graph })
  const modelDataUrl = await uploadModel(
    berth,
    `${name}.tar.gz`,
    await packModel({ 'graph.yaml': text }),
  )
  await serveEndpoint(berth, { name, image: 'berth/graph', modelDataUrl })
}

interface Asked {
  readonly attributes?: string
  readonly signal?: AbortSignal
}

async function ask(name: string, value: unknown, { attributes, signal }: Asked = {}) {
  const command = new InvokeEndpointCommand({
    EndpointName: name,
    ContentType: 'application/json',
    Body: JSON.stringify(value),
    ...(attributes !== undefined && { CustomAttributes: attributes }),
  })
  const reply = await berth.runtime.send(
    command,
    signal === undefined ? {} : { abortSignal: signal },
  )
  const told: unknown = JSON.parse(reply.CustomAttributes ?? '{}')
  return { answer: JSON.parse(reply.Body.transformToString()) as unknown, told: told as Told }
}

interface Told {
  readonly graph: { readonly ms: Record<string, number>; readonly missing?: Record<string, string> }
}

async function modelErrorOf(asking: Promise<unknown>): Promise<ModelError> {
  const error: unknown = await asking.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof ModelError, String(error))
  return error
}

const THREE = {
  tree: { endpoint: 'tree' },
  linear: { endpoint: 'linear' },
  neighbours: { endpoint: 'neighbours' },
}

suite('the fruit of the article: a tree and neighbours say orange, a linear model apple', () => {
  test('each model says what it says', async () => {
    for (const [name, said] of [
      ['tree', 'orange'],
      ['linear', 'apple'],
      ['neighbours', 'orange'],
    ] as const) {
      assert.deepEqual((await ask(name, [fruit])).answer, [said])
    }
  })

  test('the majority: orange; and how each branch went is in the header', async () => {
    await serveGraph('vote', {
      graph: { scatter: { branches: THREE, aggregate: 'majority-vote' } },
    })
    const { answer, told } = await ask('vote', [fruit])
    assert.deepEqual(answer, [{ label: 'orange', votes: { orange: 2, apple: 1 }, share: 2 / 3 }])
    assert.deepEqual(Object.keys(told.graph.ms).toSorted(), ['linear', 'neighbours', 'tree'])
    assert.equal(told.graph.missing, undefined)
  })

  test('weights: the linear model counts more than both others', async () => {
    const branches = { ...THREE, linear: { node: THREE.linear, weight: 2.5 } }
    await serveGraph('weighted', { graph: { scatter: { branches, aggregate: 'weighted-vote' } } })
    const { answer } = await ask('weighted', [fruit])
    assert.deepEqual(answer, [
      { label: 'apple', votes: { orange: 2, apple: 2.5 }, share: 2.5 / 4.5 },
    ])
  })

  test('probabilities by position, with names', async () => {
    const branches = { tree: { endpoint: 'tree-p' }, linear: { endpoint: 'linear-p' } }
    const aggregate = { method: 'soft-vote', classes: ['apple', 'orange'] }
    await serveGraph('soft', { graph: { scatter: { branches, aggregate } } })
    const { answer } = await ask('soft', [fruit])
    const [row] = answer as [{ label: string; probabilities: Record<string, number> }]
    assert.equal(row.label, 'orange')
    assert.ok(
      Math.abs((row.probabilities['apple'] ?? 0) + (row.probabilities['orange'] ?? 0) - 1) < 1e-9,
    )
  })

  test('one branch down: orange, and the header says what is missing', async () => {
    const branches = { ...THREE, linear: { endpoint: 'nobody' } }
    const scatter = { branches, aggregate: 'majority-vote', quorum: 2 }
    await serveGraph('partial', { graph: { scatter }, report: 'body' })
    const { answer } = await ask('partial', [fruit])
    const { graph, answer: rows } = answer as Told & { answer: unknown }
    assert.deepEqual(rows, [{ label: 'orange', votes: { orange: 2 }, share: 1 }])
    assert.match(
      graph.missing?.['linear'] ?? '',
      /The endpoint nobody answered 400: Endpoint nobody .* not found/,
    )
  })
})

suite('faults', () => {
  test('a branch that hangs costs its time, not the answer', async () => {
    const hang = { endpoint: 'echo', timeoutMs: 100 }
    const scatter = { branches: { tree: THREE.tree, hang }, aggregate: 'collect', quorum: 1 }
    await serveGraph('hanging', { graph: { scatter } })
    const { answer, told } = await ask('hanging', [fruit], { attributes: 'hang=1' })
    assert.deepEqual(answer, { tree: ['orange'] })
    assert.match(told.graph.missing?.['hang'] ?? '', /gave no answer within 100 ms/)
  })

  test('the deadline of the whole passes', async () => {
    await serveGraph('late', { graph: { endpoint: 'echo' }, timeoutMs: 100 })
    const error = await modelErrorOf(ask('late', [1], { attributes: 'hang=1' }))
    assert.equal(error.OriginalStatusCode, 504)
    assert.match(error.OriginalMessage ?? '', /The graph gave no answer within 100 ms/)
  })

  test('another shape, and a mix of classes', async () => {
    const branches = { tree: THREE.tree, echo: { endpoint: 'echo' } }
    await serveGraph('mixed', { graph: { scatter: { branches, aggregate: 'majority-vote' } } })
    const shape = await modelErrorOf(ask('mixed', [fruit, fruit, fruit].slice(0, 1)))
    assert.match(shape.OriginalMessage ?? '', /Branch echo votes for the number|which is no class/)
  })

  test('a graph that reaches itself through its endpoint ends', async () => {
    await serveGraph('circle', { graph: { endpoint: 'circle' } })
    const error = await modelErrorOf(ask('circle', [1]))
    assert.match(error.OriginalMessage ?? '', /more than 8 graphs: one of them reaches itself/)
  })

  test('a client that leaves', async () => {
    await serveGraph('patient', { graph: { endpoint: 'echo' } })
    const leaving = new AbortController()
    const asked = ask('patient', [1], { attributes: 'hang=1', signal: leaving.signal })
    leaving.abort()
    await assert.rejects(asked, { name: 'AbortError' })
    assert.deepEqual((await ask('patient', [2])).answer, [2])
  })

  test('a cycle, and a wrong key, are refused by CreateModel with line and column', async () => {
    const cycle =
      'version: 1\ngraph: a\nnodes:\n  a: { sequence: { next: b } }\n  b: { sequence: { next: a } }\n'
    for (const [text, message] of [
      [
        cycle,
        /Line 5, column 20 \(nodes\.b\.sequence\.next\): Node a reaches itself: a → b → a\.$/,
      ],
      ['version: 1\ngraph:\n  endpiont: a\n', /Line 3, column 3|Line 2, column 1/],
    ] as const) {
      const archive = await packModel({ 'graph.yaml': text })
      const modelDataUrl = await uploadModel(berth, 'wrong.tar.gz', archive)
      await assert.rejects(
        createConfig(berth, { name: 'wrong', image: 'berth/graph', modelDataUrl }),
        {
          name: 'ValidationException',
          message,
        },
      )
    }
    const empty = await uploadModel(berth, 'empty.tar.gz', await packModel({ 'a.txt': '' }))
    await assert.rejects(
      createConfig(berth, { name: 'empty', image: 'berth/graph', modelDataUrl: empty }),
      {
        message: /The model data has no graph\.yaml, and BERTH_GRAPH is not set\./,
      },
    )
  })
})

suite('selecting, cascading, chaining', () => {
  test('an attribute of the input chooses; another is refused with what there is', async () => {
    const cases = { de: { expression: "'Hallo'" }, en: { expression: "'Hello'" } }
    await serveGraph('router', { graph: { select: { on: 'input.language', cases } } })
    assert.equal((await ask('router', { language: 'de' })).answer, 'Hallo')
    const error = await modelErrorOf(ask('router', { language: 'fr' }))
    assert.deepEqual(
      [
        error.OriginalStatusCode,
        /There is no case .*fr.*; there are de, en/.test(error.OriginalMessage ?? ''),
      ],
      [400, true],
    )
  })

  test('a classifier chooses, rules refuse, steps see what came before', async () => {
    const cases = { apple: { expression: "'cider'" }, orange: { expression: "'juice'" } }
    const sequence = {
      valid: { rules: [{ when: 'size(input) != 1', reject: 'One fruit at a time.', status: 422 }] },
      press: { select: { classifier: { endpoint: 'tree' }, cases } },
      label: { expression: '{"drink": input, "grams": steps.valid[0][0]}' },
    }
    await serveGraph('press', { graph: { sequence } })
    assert.deepEqual((await ask('press', [fruit])).answer, { drink: 'juice', grams: fruit[0] })
    const error = await modelErrorOf(ask('press', [fruit, fruit]))
    assert.equal(error.OriginalStatusCode, 422)
  })

  test('a cascade asks the next only for rows that the first is not sure of', async () => {
    const first = { expression: 'input.map(x, {"label": "cheap", "probabilities": {"p": x}})' }
    const last = { expression: 'input.map(x, {"label": "dear", "asked": size(input)})' }
    const cascade = { steps: [{ node: first, atLeast: 0.9 }], last }
    await serveGraph('cascade', { graph: { cascade } })
    const { answer } = await ask('cascade', [0.99, 0.5, 0.95])
    assert.deepEqual(
      (answer as { label: string }[]).map(({ label }) => label),
      ['cheap', 'dear', 'cheap'],
    )
    assert.deepEqual((answer as { asked?: number }[])[1]?.asked, 1)
  })

  test('a map, and a fallback in place of what fails', async () => {
    const node = { endpoint: 'nobody', fallback: { expression: 'input * 2' } }
    await serveGraph('mapped', { graph: { map: { over: 'input', node } } })
    assert.deepEqual((await ask('mapped', [1, 2, 3])).answer, [2, 4, 6])
  })
})
