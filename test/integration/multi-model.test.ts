import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'

import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import { UpdateEndpointWeightsAndCapacitiesCommand } from '@aws-sdk/client-sagemaker'
import { InvokeEndpointCommand } from '@aws-sdk/client-sagemaker-runtime'

import { disposeBerth, startBerth } from '../support/berth.ts'
import type { RunningBerth } from '../support/berth.ts'
import { numberedModel, uploadNumbered } from '../support/numbered-models.ts'
import { runCli } from '../support/run-cli.ts'
import {
  describeInside,
  readyInstances,
  serveEndpoint,
  untilInService,
  untilReadyCount,
} from '../support/serving.ts'
import { until } from '../support/until.ts'
import { packModel, uploadModel } from '../support/upload.ts'

let berth: RunningBerth
before(async () => {
  berth = await startBerth()
})
after(() => disposeBerth(berth))

async function serve(
  name: string,
  changes: { readonly environment?: Record<string, string>; readonly isCaching?: boolean } = {},
): Promise<void> {
  const { environment = {}, isCaching = true } = changes
  const multiModelPrefix = `s3://models/${name}/`
  await serveEndpoint(berth, {
    name,
    image: 'berth/onnx',
    environment,
    modelDataUrl: multiModelPrefix,
    multiModel: { isCaching },
  })
}

async function invoke(name: string, targetModel?: string): Promise<unknown> {
  const command = new InvokeEndpointCommand({
    EndpointName: name,
    ContentType: 'application/json',
    Body: Buffer.from('[[7]]'),
    ...(targetModel !== undefined && { TargetModel: targetModel }),
  })
  const { Body } = await berth.runtime.send(command)
  return JSON.parse(Body.transformToString())
}

async function scale(name: string, DesiredInstanceCount: number): Promise<void> {
  const update = new UpdateEndpointWeightsAndCapacitiesCommand({
    EndpointName: name,
    DesiredWeightsAndCapacities: [{ VariantName: 'AllTraffic', DesiredInstanceCount }],
  })
  await berth.sagemaker.send(update)
  await untilInService(berth, name)
}

/** What model number N answers. */
const answerOf = (number: number): unknown => ({ predictions: [[number]] })

async function refusal(asking: Promise<unknown>): Promise<{ name: string; message: string }> {
  const error: unknown = await asking.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof Error, 'nothing was refused')
  return error
}

async function eventCount(name: string, kind: string): Promise<number> {
  const { events } = await describeInside(berth, name)
  return events.filter((event) => event.kind === kind).length
}

suite('a multi-model endpoint', () => {
  test('each target model answers as itself, and is loaded once however many ask at a time', async () => {
    await uploadNumbered(berth, 'many/', 1)
    await serve('many')
    // After the endpoint: usable without a call.
    await uploadNumbered(berth, 'many/', 2)
    const asked = Array.from({ length: 200 }, (_, index) => (index % 2) + 1)
    const answers = await Promise.all(asked.map((number) => invoke('many', `m${number}.tar.gz`)))
    assert.deepEqual(answers, asked.map(answerOf))
    assert.equal(await eventCount('many', 'model-loaded'), 2)
    assert.deepEqual(await invoke('many', '/m1.tar.gz'), answerOf(1))
  })

  test('berth invoke --target-model asks one', async () => {
    const args = ['invoke', 'many', '--target-model', 'm2.tar.gz', '--body', '[[7]]']
    const { stdout, stderr } = await runCli([...args, '--data-dir', berth.dataDir])
    assert.deepEqual(JSON.parse(stdout), answerOf(2), stderr)
  })

  test('says what is missing: the header, the object, a key below the prefix', async () => {
    const withoutHeader = await refusal(invoke('many'))
    assert.match(withoutHeader.message, /^Request .* is missing a target model header\./)
    const missing = await refusal(invoke('many', 'no-such.tar.gz'))
    assert.equal(missing.name, 'ValidationError')
    assert.match(
      missing.message,
      /^Failed to download model data\(bucket: models, key: many\/no-such\.tar\.gz\)\./,
    )
    const climbing = await refusal(invoke('many', '../many/m1.tar.gz'))
    assert.match(climbing.message, /is not a key below the prefix/)
  })

  test('one that is deleted in the store goes on answering; one that is no archive is quarantined and says why', async () => {
    await berth.s3.send(new DeleteObjectCommand({ Bucket: 'models', Key: 'many/m1.tar.gz' }))
    assert.deepEqual(await invoke('many', 'm1.tar.gz'), answerOf(1))
    await uploadModel(berth, 'many/broken.tar.gz', Buffer.from('this is no archive'))
    const broken = await refusal(invoke('many', 'broken.tar.gz'))
    assert.equal(broken.name, 'ModelError')
    assert.match(broken.message, /Model broken\.tar\.gz cannot be used: Failed to extract/)
    await refusal(invoke('many', 'broken.tar.gz'))
    assert.equal(await eventCount('many', 'model-quarantined'), 1)
  })

  test('the instance with the only copy is killed: its models come back on the next one', async () => {
    const [instance] = await readyInstances(berth, 'many')
    assert.ok(instance)
    process.kill(instance.pid, 'SIGKILL')
    await until('another instance', async () => {
      const [next] = await readyInstances(berth, 'many')
      return next !== undefined && next.instanceId !== instance.instanceId
    })
    await untilReadyCount(berth, 'many', 1)
    assert.deepEqual(await invoke('many', 'm2.tar.gz'), answerOf(2))
  })

  test('a replaced one is taken over when the container asks to look, and never mixed up', async () => {
    await uploadNumbered(berth, 'fresh/', 1)
    await serve('fresh', { environment: { BERTH_MODEL_REVALIDATE_SECONDS: '0' } })
    assert.deepEqual(await invoke('fresh', 'm1.tar.gz'), answerOf(1))
    const archive = await packModel({ 'model.onnx': numberedModel(10) })
    await uploadModel(berth, 'fresh/m1.tar.gz', archive)
    await until('the new content', async () => {
      const answer = JSON.stringify(await invoke('fresh', 'm1.tar.gz'))
      assert.ok(['1', '10'].includes(/\d+/.exec(answer)?.[0] ?? ''), answer)
      return answer === JSON.stringify(answerOf(10))
    })
  })

  test('one that is spoilt or deleted in the store while it is looked at anew goes on answering, and so does its next content', async () => {
    await uploadModel(berth, 'fresh/m1.tar.gz', Buffer.from('this is no archive'))
    // Each call has the store looked at; what it finds is heard of in an event, not in an answer.
    await until('the spoilt one to be found', async () => {
      assert.deepEqual(await invoke('fresh', 'm1.tar.gz'), answerOf(10))
      return (await eventCount('fresh', 'model-not-replaced')) > 0
    })
    await berth.s3.send(new DeleteObjectCommand({ Bucket: 'models', Key: 'fresh/m1.tar.gz' }))
    assert.deepEqual(await invoke('fresh', 'm1.tar.gz'), answerOf(10))
    const archive = await packModel({ 'model.onnx': numberedModel(11) })
    await uploadModel(berth, 'fresh/m1.tar.gz', archive)
    await until('the next content', async () => {
      const answer = JSON.stringify(await invoke('fresh', 'm1.tar.gz'))
      assert.ok(['10', '11'].includes(/\d+/.exec(answer)?.[0] ?? ''), answer)
      return answer === JSON.stringify(answerOf(11))
    })
  })

  test('without caching a model goes when nothing uses it, and answers again', async () => {
    await uploadNumbered(berth, 'passing/', 3)
    await serve('passing', { isCaching: false })
    // It goes after its answer, so the next call may still find it.
    await until('a second load', async () => {
      assert.deepEqual(await invoke('passing', 'm3.tar.gz'), answerOf(3))
      return (await eventCount('passing', 'model-loaded')) >= 2
    })
  })

  test('scaled out and in: pinned and preloaded models are on each instance, others answer from where they are', async () => {
    for (const number of [1, 2, 3]) await uploadNumbered(berth, 'wide/', number)
    const environment = { BERTH_MODEL_PIN: 'm1.tar.gz', BERTH_MODEL_PRELOAD: 'm2.tar.gz' }
    await serve('wide', { environment })
    const loadedByInstance = async (): Promise<readonly (readonly string[])[]> => {
      const { models } = await describeInside(berth, 'wide')
      const instances = models?.instances ?? []
      return instances.map((one) => one.models.map(({ targetModel }) => targetModel).toSorted())
    }
    const LISTED = ['m1.tar.gz', 'm2.tar.gz']
    await until('the lists to be loaded', async () =>
      isDeepStrictEqual(await loadedByInstance(), [LISTED]),
    )
    assert.deepEqual(await invoke('wide', 'm3.tar.gz'), answerOf(3))

    await scale('wide', 2)
    await untilReadyCount(berth, 'wide', 2)
    await until('the lists to be loaded on both', async () => {
      const loaded = await loadedByInstance()
      return (
        loaded.length === 2 && loaded.every((one) => LISTED.every((name) => one.includes(name)))
      )
    })
    // One after the other none waits, so nothing is gained by another copy.
    for (let call = 0; call < 10; call += 1) {
      assert.deepEqual(await invoke('wide', 'm3.tar.gz'), answerOf(3))
    }
    const withThird = (await loadedByInstance()).filter((one) => one.includes('m3.tar.gz'))
    assert.equal(withThird.length, 1)

    await scale('wide', 1)
    await untilReadyCount(berth, 'wide', 1)
    for (const number of [1, 2, 3]) {
      assert.deepEqual(await invoke('wide', `m${number}.tar.gz`), answerOf(number))
    }
  })

  test('no wrong model ever answers while models are evicted under load', async () => {
    const numbers = Array.from({ length: 12 }, (_, index) => index + 20)
    for (const number of numbers) await uploadNumbered(berth, 'tight/', number)
    // Less than the program itself takes: every load evicts.
    await serve('tight', { environment: { BERTH_MODEL_MEMORY_BYTES: String(8 * 1024 ** 2) } })
    const asked = Array.from({ length: 240 }, (_, index) => numbers[(index * 7) % 12] ?? 0)
    const lanes = Array.from({ length: 4 }, async (_, lane) => {
      for (const number of asked.slice(lane * 60, lane * 60 + 60)) {
        assert.deepEqual(await invoke('tight', `m${number}.tar.gz`), answerOf(number))
      }
    })
    await Promise.all(lanes)
    assert.ok((await eventCount('tight', 'model-evicted')) > 0)
  })

  test("what is loaded where is shown, with SageMaker's metrics and why the last ones were evicted", async () => {
    // Gateways say once a second what they counted.
    const models = await until('240 invocations in the metrics', async () => {
      const { models: described } = await describeInside(berth, 'tight')
      const [metrics] = described?.metrics ?? []
      return metrics?.ModelCacheHit?.SampleCount === 240 && described
    })
    const [metrics] = models.metrics
    const [instance] = models.instances
    assert.ok(metrics !== undefined && instance !== undefined)
    const hitCount = metrics.ModelCacheHit?.Sum ?? 0
    assert.equal(metrics.ModelLoadingWaitTime?.SampleCount, 240 - hitCount)
    assert.ok((metrics.ModelLoadingWaitTime?.Average ?? 0) > 0)
    const loadCount = metrics.ModelLoadingTime?.SampleCount ?? 0
    assert.ok(loadCount >= 12 && loadCount <= 240 - hitCount, `${loadCount} loads`)
    assert.ok((metrics.ModelDownloadingTime?.Sum ?? 0) > 0)
    assert.equal(metrics.ModelUnloadingTime?.SampleCount, loadCount - instance.models.length)
    assert.equal(metrics.LoadedModelCount?.Sum, instance.models.length)

    const { stdout } = await runCli(['describe', 'tight', '--data-dir', berth.dataDir])
    assert.match(stdout, /^AllTraffic +\d+ +[\d.]+ % +[\d.]+ ms +\d+ +[\d.]+ ms +\d+$/m)
    for (const { targetModel } of instance.models)
      assert.match(stdout, new RegExp(`^${targetModel} `, 'm'))
    assert.match(
      stdout,
      /^m\d+\.tar\.gz +\d+s +m\d+\.tar\.gz .* [KMG]B of [\d.]+ [KMG]B are taken$/m,
    )
  })
})
