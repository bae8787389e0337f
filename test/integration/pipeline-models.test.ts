import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { after, before, suite, test } from 'node:test'

import { InvokeEndpointCommand, ModelError } from '@aws-sdk/client-sagemaker-runtime'

import { disposeBerth, startBerth } from '../support/berth.ts'
import type { RunningBerth } from '../support/berth.ts'
import { uploadNumbered } from '../support/numbered-models.ts'
import { runCli } from '../support/run-cli.ts'
import { describeInside, serveEndpoint } from '../support/serving.ts'
import { until } from '../support/until.ts'
import { packModel, uploadModel } from '../support/upload.ts'

const MODEL_COUNT = 6
const CONCURRENCY = 8
const CALLS_PER_CALLER = 12

// Before the models: says in its log what it was asked; refuses on order.
const PREPARE = `
export function predictFn(what, _model, context) {
  console.log('asked ' + what + ' ' + context.headers['x-amzn-sagemaker-target-model'])
  if (what === 'refuse') context.setStatus(404)
  return [[7]]
}
`
// Behind them: the model's number, and what it was told.
const NAME = `
export function predictFn({ predictions }, _model, { headers }) {
  return { number: predictions[0][0], told: headers['x-amzn-sagemaker-target-model'] ?? null }
}
`

let berth: RunningBerth
before(async () => {
  berth = await startBerth()
  const node = async (ContainerHostname: string, code: string) => {
    const archive = await packModel({
      'code/inference.js': code,
      'code/package.json': '{"type":"module"}',
    })
    const ModelDataUrl = await uploadModel(berth, `${ContainerHostname}.tar.gz`, archive)
    const Environment = { SAGEMAKER_MODEL_SERVER_WORKERS: '1' }
    return { ContainerHostname, Image: 'berth/node', ModelDataUrl, Environment }
  }
  for (let number = 1; number <= MODEL_COUNT; number += 1) {
    await uploadNumbered(berth, 'many/', number)
  }
  await serveEndpoint(berth, {
    name: 'chain',
    containers: [
      await node('prepare', PREPARE),
      {
        ContainerHostname: 'many',
        Image: 'berth/onnx',
        Mode: 'MultiModel',
        ModelDataUrl: 's3://models/many/',
        // Less than the program itself takes: every load evicts.
        Environment: { BERTH_MODEL_MEMORY_BYTES: String(8 * 1024 ** 2) },
      },
      await node('name', NAME),
    ],
  })
})
after(() => disposeBerth(berth))

async function ask(
  number: number,
  what = 'hello',
): Promise<{ number: number; told: string | null }> {
  const command = new InvokeEndpointCommand({
    EndpointName: 'chain',
    TargetModel: `m${number}.tar.gz`,
    ContentType: 'application/json',
    Body: JSON.stringify(what),
  })
  const { Body } = await berth.runtime.send(command)
  return JSON.parse(Body.transformToString()) as { number: number; told: string | null }
}

async function preparedCount(what: string): Promise<number> {
  const args = ['logs', 'chain', '--container', 'prepare', '--data-dir', berth.dataDir]
  const { stdout } = await runCli(args)
  return stdout.split('\n').filter((line) => line.includes(`asked ${what} `)).length
}

/** The second container of the only instance, by the model calls of its own. */
async function callModels(method: string, path: string): Promise<string> {
  const [socketPath] = globSync(`${berth.dataDir}/run/**/1.sock`)
  assert.ok(socketPath, 'no socket of the second container')
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const asking = request({ socketPath, method, path }, (reply) => {
    text(reply).then(resolve, reject)
  })
  asking.once('error', reject)
  asking.end()
  return await promise
}

async function loadedIds(): Promise<readonly string[]> {
  const { models } = JSON.parse(await callModels('GET', '/models')) as {
    readonly models: readonly { readonly modelName: string }[]
  }
  return models.map(({ modelName }) => modelName)
}

suite('a pipeline with a container of many models', () => {
  test('the target model is for that container alone, and must be named', async () => {
    assert.deepEqual(await ask(1), { number: 1, told: null })
    const { stdout } = await runCli([
      'logs',
      'chain',
      '--container',
      'prepare',
      '--data-dir',
      berth.dataDir,
    ])
    assert.match(stdout, /asked hello undefined$/m)
    const nameless = new InvokeEndpointCommand({ EndpointName: 'chain', Body: '"x"' })
    await assert.rejects(berth.runtime.send(nameless), /is missing a target model header/)
    await assert.rejects(ask(MODEL_COUNT + 1), /Failed to download model data/)
  })

  test('a 404 of another container is its own answer, and nothing is asked twice', async () => {
    const error = await ask(1, 'refuse').then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    assert.ok(error instanceof ModelError, String(error))
    assert.match(error.message, /^Received client error \(404\) from prepare /)
    assert.equal(await preparedCount('refuse'), 1)
  })

  test('a model that the container has lost is loaded again, and containers before it are not asked again', async () => {
    await ask(2)
    for (const id of await loadedIds()) await callModels('DELETE', `/models/${id}`)
    assert.deepEqual(await loadedIds(), [])
    assert.equal((await ask(2, 'lost')).number, 2)
    assert.equal(await preparedCount('lost'), 1)
  })

  test('no other model ever answers: under load, with evictions, and while the container is killed', async () => {
    const wrong: string[] = []
    let answeredCount = 0
    const call = async (caller: number): Promise<void> => {
      for (let turn = 0; turn < CALLS_PER_CALLER; turn += 1) {
        const number = 1 + ((caller * 5 + turn) % MODEL_COUNT)
        const answer = await ask(number).catch(() => undefined)
        if (answer === undefined) continue
        answeredCount += 1
        if (answer.number !== number) wrong.push(`asked ${number}, answered ${answer.number}`)
      }
    }
    const callers = Array.from({ length: CONCURRENCY }, (_, caller) => call(caller))
    await until('some answers', () => answeredCount > CONCURRENCY)
    const { variants } = await describeInside(berth, 'chain')
    const many = variants[0]?.instances[0]?.containers?.find(({ hostname }) => hostname === 'many')
    assert.ok(many?.pid)
    process.kill(many.pid, 'SIGKILL')
    await Promise.all(callers)
    assert.deepEqual(wrong, [])
    for (let number = 1; number <= MODEL_COUNT; number += 1) {
      const answer = await until('an answer', () => ask(number).catch(() => undefined))
      assert.equal(answer.number, number)
    }
  })
})
