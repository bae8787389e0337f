import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'

import { CreateModelCommand } from '@aws-sdk/client-sagemaker'
import { InvokeEndpointCommand } from '@aws-sdk/client-sagemaker-runtime'

import type { GraphInside } from '../../src/control/berth/graph-nodes.ts'
import { disposeBerth, startBerth } from '../support/berth.ts'
import type { RunningBerth } from '../support/berth.ts'
import { uploadNumbered } from '../support/numbered-models.ts'
import { encodeOnnx } from '../support/onnx.ts'
import { runCli } from '../support/run-cli.ts'
import { describeInside, serveEndpoint } from '../support/serving.ts'
import { until } from '../support/until.ts'
import { packModel, uploadModel } from '../support/upload.ts'

/** A model that weighs the numbers of a row and adds them up. */
function weighing(...weights: readonly number[]): Buffer {
  return encodeOnnx({
    nodes: [{ operator: 'MatMul', inputs: ['x', 'weights'], outputs: ['y'] }],
    weights: { weights: { dims: [weights.length, 1], values: Float32Array.from(weights) } },
    inputs: { x: ['n', weights.length] },
    outputs: { y: ['n', 1] },
  })
}

const MODELS = { double: weighing(2), triple: weighing(3), stack: weighing(0.25, 0.75) }
const BRANCHES = { double: { container: 'double' }, triple: { container: 'triple' } }
const STACKING = {
  scatter: { branches: BRANCHES, aggregate: { method: 'stacking', model: { container: 'stack' } } },
}

function graphContainer(graph: object, name = 'graph') {
  const BERTH_GRAPH = JSON.stringify({ version: 1, graph })
  return { ContainerHostname: name, Image: 'berth/graph', Environment: { BERTH_GRAPH } }
}

let berth: RunningBerth
before(async () => {
  berth = await startBerth()
  const models = await Promise.all(
    Object.entries(MODELS).map(async ([name, bytes]) => {
      const archive = await packModel({ 'model.onnx': bytes })
      const ModelDataUrl = await uploadModel(berth, `${name}.tar.gz`, archive)
      return { ContainerHostname: name, Image: 'berth/onnx', ModelDataUrl }
    }),
  )
  const mean = { scatter: { branches: BRANCHES, aggregate: 'mean', quorum: 1 } }
  const containers = [...models, graphContainer(STACKING), graphContainer(mean, 'mean')]
  await Promise.all([uploadNumbered(berth, 'many/', 1), uploadNumbered(berth, 'many/', 2)])
  await Promise.all([
    serveEndpoint(berth, { name: 'together', containers, executionMode: 'Direct' }),
    serveEndpoint(berth, {
      name: 'many',
      image: 'berth/onnx',
      modelDataUrl: 's3://models/many/',
      multiModel: { isCaching: true },
    }),
  ])
})
after(() => disposeBerth(berth))

interface Asked {
  readonly container?: string
  readonly body?: unknown
}

async function ask(endpointName: string, { container, body = [[7]] }: Asked) {
  const command = new InvokeEndpointCommand({
    EndpointName: endpointName,
    ContentType: 'application/json',
    Body: JSON.stringify(body),
    ...(container !== undefined && { TargetContainerHostname: container }),
  })
  const { Body, CustomAttributes } = await berth.runtime.send(command)
  const told: unknown = JSON.parse(CustomAttributes ?? '{}')
  return { answer: JSON.parse(Body.transformToString()) as unknown, graph: Object(told).graph }
}

suite('models and graphs in one CreateModel', () => {
  test('a real model stacks what the containers beside it answer, row by row', async () => {
    const { answer, graph } = await ask('together', { container: 'graph', body: [[7], [1]] })
    assert.deepEqual(answer, { predictions: [[19.25], [2.75]] })
    assert.deepEqual(Object.keys(graph.ms).toSorted(), ['double', 'triple'])
    assert.deepEqual((await ask('together', { container: 'triple' })).answer, {
      predictions: [[21]],
    })
  })

  test('berth describe says what each node has done, since its container started', async () => {
    await assert.rejects(ask('together', { container: 'graph', body: [['seven']] }))
    // A container that is busy for a second is shown without counters.
    const { nodes } = await until('the graph to tell its counters', async () => {
      const inside = (await describeInside(berth, 'together')) as unknown as {
        readonly graphs: readonly GraphInside[]
      }
      const graph = inside.graphs.find(({ containerHostname }) => containerHostname === 'graph')
      return graph?.silentCount === 0 && graph
    })
    assert.deepEqual(
      new Map(nodes.map(({ node, answeredCount }) => [node, answeredCount])),
      new Map(['graph', 'graph.double', 'graph.triple', 'graph.model'].map((name) => [name, 1])),
    )
    // Of its branches the first that fails ends the other.
    const whole = nodes.find(({ node }) => node === 'graph')
    assert.equal(whole?.failedCount, 1)
    assert.ok(whole.latencyMicrosSum >= whole.latencyMicrosMax && whole.latencyMicrosMax > 0)
    const stdout = await until('the table of counters', async () => {
      const described = await runCli(['describe', 'together', '--data-dir', berth.dataDir])
      return /graph +graph\.double /.test(described.stdout) && described.stdout
    })
    assert.match(stdout, /GRAPH +NODE +ANSWERED +FAILED +MEAN +SLOWEST\n/)
    assert.match(stdout, /graph +graph\.double +1 +\d +\d+\.\d ms/)
  })

  test('a container that is killed is missing, and said to be; then it is back', async () => {
    assert.deepEqual((await ask('together', { container: 'mean' })).answer, {
      predictions: [[17.5]],
    })
    const { variants } = await describeInside(berth, 'together')
    const containers = variants.flatMap(({ instances }) =>
      instances.flatMap(({ containers: each = [] }) => each),
    )
    const pid = containers.find(({ hostname }) => hostname === 'triple')?.pid
    assert.ok(pid)
    process.kill(pid, 'SIGKILL')
    // From here on each answer has both, or says why it has one; never neither.
    await until('the answer to be whole again, by another process', async () => {
      const now = await describeInside(berth, 'together')
      const isBack = now.variants.some(({ instances }) =>
        instances.some(({ containers: each = [] }) =>
          each.some(
            ({ hostname, pid: other }) =>
              hostname === 'triple' && other !== undefined && other !== pid,
          ),
        ),
      )
      const asked = await ask('together', { container: 'mean' }).catch(refusedWhileReplaced)
      if (asked === undefined) return false
      const { answer, graph } = asked
      const isWhole = graph.missing === undefined
      assert.deepEqual(answer, { predictions: [[isWhole ? 17.5 : 14]] })
      return isWhole && isBack
    })
  })

  test('a graph that reaches itself is refused by CreateModel, with its place', async () => {
    const text = 'version: 1\ngraph: a\nnodes:\n  a: { map: { over: input, node: a } }\n'
    const create = berth.sagemaker.send(
      new CreateModelCommand({
        ModelName: 'circle',
        ExecutionRoleArn: 'arn:aws:iam::000000000000:role/berth',
        Containers: [
          { ContainerHostname: 'echo', Image: 'berth/echo' },
          {
            ContainerHostname: 'graph',
            Image: 'berth/graph',
            Environment: { BERTH_GRAPH: text },
          },
        ],
        InferenceExecutionConfig: { Mode: 'Direct' },
      }),
    )
    await assert.rejects(create, {
      name: 'ValidationException',
      message: /Line 4, column \d+ \(nodes\.a\.map\.node\): Node a reaches itself: a → a\./,
    })
  })
})

// The instance as a whole may be taken out of routing while one of its containers is replaced.
function refusedWhileReplaced(error: unknown): undefined {
  if (error instanceof Error && '$metadata' in error) return undefined
  throw error
}

suite('target models of a multi-model endpoint', () => {
  test('are named by the graph, or by the input; one that is missing is said to be', async () => {
    const from = { endpoint: 'many', targetModelFrom: "input.tenant + '.tar.gz'", request: '[[7]]' }
    const fixed = { endpoint: 'many', targetModel: 'm1.tar.gz', request: '[[7]]' }
    const scatter = { branches: { fixed, from }, aggregate: 'collect', quorum: 1 }
    const modelDataUrl = await uploadModel(
      berth,
      'tenants.tar.gz',
      await packModel({ 'graph.yaml': JSON.stringify({ version: 1, graph: { scatter } }) }),
    )
    await serveEndpoint(berth, { name: 'tenants', image: 'berth/graph', modelDataUrl })
    const both = await ask('tenants', { body: { tenant: 'm2' } })
    assert.deepEqual(both.answer, { fixed: { predictions: [[1]] }, from: { predictions: [[2]] } })
    const one = await ask('tenants', { body: { tenant: 'm9' } })
    assert.deepEqual(one.answer, { fixed: { predictions: [[1]] } })
    assert.match(one.graph.missing.from, /endpoint many answered 400: .*m9\.tar\.gz/)
    const wrong = await ask('tenants', { body: {} })
    assert.match(wrong.graph.missing.from, /input\.tenant/)
  })
})
