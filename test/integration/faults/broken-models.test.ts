import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'

import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import {
  CreateEndpointCommand,
  DeleteEndpointCommand,
  DescribeEndpointCommand,
  UpdateEndpointCommand,
  UpdateEndpointWeightsAndCapacitiesCommand,
} from '@aws-sdk/client-sagemaker'

import { disposeBerth, installationPids, startBerth } from '../../support/berth.ts'
import type { RunningBerth } from '../../support/berth.ts'
import { Load } from '../../support/load.ts'
import {
  createConfig,
  createEndpoint,
  describeInside,
  serveEndpoint,
  untilInService,
  untilReadyCount,
  untilSettled,
} from '../../support/serving.ts'
import type { Deployable } from '../../support/serving.ts'
import { fixtureModel, packModel, uploadModel } from '../../support/upload.ts'
import { until } from '../../support/until.ts'

let berth: RunningBerth
before(async () => {
  berth = await startBerth()
})
after(() => disposeBerth(berth))

suite('an endpoint that cannot start is Failed with the cause in words', () => {
  const EXITED = 'The primary container for production variant AllTraffic exited with code'

  test('model file corrupt', async () => {
    const url = await upload('corrupt', { 'model.onnx': Buffer.alloc(4096, 0x5a) })
    await assertFails(
      { name: 'corrupt', image: 'berth/onnx', modelDataUrl: url },
      new RegExp(`^${EXITED} 22; last log lines:\\n[^]*model\\.onnx is not a valid ONNX file`),
    )
  })

  test('model file missing in the archive', async () => {
    const url = await upload('missing', { 'readme.txt': 'no model here' })
    await assertFails(
      { name: 'missing', image: 'berth/onnx', modelDataUrl: url },
      new RegExp(`^${EXITED} 21; last log lines:\\n[^]*no model\\.onnx in [^]*readme\\.txt`),
    )
  })

  test('opset that the image does not know', async () => {
    const url = await upload('opset', { 'model.onnx': fixtureModel('opset99.onnx') })
    await assertFails(
      { name: 'opset', image: 'berth/onnx', modelDataUrl: url },
      new RegExp(`^${EXITED} 23; last log lines:\\n[^]*opset`, 'i'),
    )
  })

  test('archive that is none', async () => {
    const url = await uploadModel(berth, 'no-archive.tar.gz', Buffer.from('not an archive'))
    await assertFails(
      { name: 'no-archive', image: 'berth/onnx', modelDataUrl: url },
      /^Failed to extract model data for container "[^"]+" from URL: "s3:\/\/models\/no-archive\.tar\.gz"\. /,
    )
  })

  test('object deleted after CreateModel', async () => {
    const url = await upload('gone', { 'model.onnx': fixtureModel('affine.onnx') })
    await createConfig(berth, { name: 'gone', image: 'berth/onnx', modelDataUrl: url })
    await berth.s3.send(new DeleteObjectCommand({ Bucket: 'models', Key: 'gone.tar.gz' }))
    const input = { EndpointName: 'gone', EndpointConfigName: 'gone' }
    await berth.sagemaker.send(new CreateEndpointCommand(input))
    await assertFailed(
      'gone',
      /^Failed to download model data for container "[^"]+" from URL: "s3:\/\/models\/gone\.tar\.gz"\. Please ensure that there is an object located at the URL/,
    )
  })

  test('container exits at once', async () => {
    await assertFails(
      { name: 'exits', environment: { BERTH_ECHO_EXIT_CODE: '20' } },
      new RegExp(`^${EXITED} 20; last log lines:\n`),
    )
  })

  test('container answers one ping and dies, again and again', async () => {
    await assertFails(
      {
        name: 'dies',
        environment: { BERTH_ECHO_PING_OK_COUNT: '1', BERTH_ECHO_PING_THEN: 'exit' },
      },
      new RegExp(`^${EXITED} 1; last log lines:\n`),
    )
    const { events } = await describeInside(berth, 'dies')
    const starts = events.filter(({ kind }) => kind === 'instance-start-failed')
    assert.ok(starts.length >= 3, 'each failed start is an event')
  })

  async function assertFails(deployable: Deployable, reason: RegExp): Promise<void> {
    await createEndpoint(berth, deployable)
    await assertFailed(deployable.name, reason)
  }
})

suite('deployments under load lose no invocation', () => {
  test('UpdateEndpoint to a model that cannot start: back in service on the old config', async () => {
    await serveEndpoint(berth, { name: 'steady' })
    await createConfig(berth, { name: 'bad', environment: { BERTH_ECHO_EXIT_CODE: '20' } })
    await using load = new Load(berth, 'steady')
    await load.untilMoreAnswers()
    await update('steady', 'bad')
    const { EndpointStatus, EndpointConfigName, FailureReason } = await untilSettled(
      berth,
      'steady',
    )
    await load.untilMoreAnswers()
    await load.stop()
    assert.equal(EndpointStatus, 'InService')
    assert.equal(EndpointConfigName, 'steady')
    assert.match(FailureReason ?? '', /exited with code 20/)
    assertNothingLost(load)
    await untilReadyCount(berth, 'steady', 1)
  })

  test('UpdateEndpoint to a good model', async () => {
    await serveEndpoint(berth, { name: 'updated' })
    const [before] = await untilReadyCount(berth, 'updated', 1)
    await createConfig(berth, { name: 'next', instanceCount: 2 })
    await using load = new Load(berth, 'updated')
    await load.untilMoreAnswers()
    await update('updated', 'next')
    await untilInService(berth, 'updated')
    const ready = await untilReadyCount(berth, 'updated', 2)
    await load.untilMoreAnswers()
    await load.stop()
    const describe = new DescribeEndpointCommand({ EndpointName: 'updated' })
    const { EndpointConfigName } = await berth.sagemaker.send(describe)
    assert.equal(EndpointConfigName, 'next')
    assert.ok(!ready.some(({ pid }) => pid === before?.pid), 'the old fleet is gone')
    assertNothingLost(load)
  })

  test('scaling up and down', async () => {
    await serveEndpoint(berth, { name: 'scaled' })
    await using load = new Load(berth, 'scaled')
    for (const count of [3, 1, 2]) {
      await load.untilMoreAnswers()
      await berth.sagemaker.send(
        new UpdateEndpointWeightsAndCapacitiesCommand({
          EndpointName: 'scaled',
          DesiredWeightsAndCapacities: [{ VariantName: 'AllTraffic', DesiredInstanceCount: count }],
        }),
      )
      await untilInService(berth, 'scaled')
      await untilReadyCount(berth, 'scaled', count)
    }
    await load.untilMoreAnswers()
    await load.stop()
    assertNothingLost(load)
  })

  test('DeleteEndpoint leaves no process', async () => {
    await serveEndpoint(berth, { name: 'deleted', instanceCount: 2 })
    const ready = await untilReadyCount(berth, 'deleted', 2)
    await berth.sagemaker.send(new DeleteEndpointCommand({ EndpointName: 'deleted' }))
    const describe = new DescribeEndpointCommand({ EndpointName: 'deleted' })
    await until('the endpoint to be gone', () =>
      berth.sagemaker.send(describe).then(
        () => false,
        (error: unknown) => error instanceof Error && /Could not find/.test(error.message),
      ),
    )
    const running = installationPids(berth.dataDir)
    assert.ok(!ready.some(({ pid }) => running.includes(pid)))
  })

  function update(EndpointName: string, EndpointConfigName: string): Promise<unknown> {
    return berth.sagemaker.send(new UpdateEndpointCommand({ EndpointName, EndpointConfigName }))
  }

  function assertNothingLost(load: Load): void {
    assert.deepEqual(load.failures, [])
    assert.deepEqual(load.modelErrors, [])
    assert.deepEqual(load.wrongAnswers, [])
  }
})

test('what failed left no process', async () => {
  const names = ['corrupt', 'missing', 'opset', 'gone', 'exits', 'dies']
  for (const name of names) await untilReadyCount(berth, name, 0)
})

async function assertFailed(name: string, reason: RegExp): Promise<void> {
  const { EndpointStatus, FailureReason = '' } = await untilSettled(berth, name)
  assert.equal(EndpointStatus, 'Failed')
  assert.match(FailureReason, reason)
}

async function upload(
  name: string,
  files: Readonly<Record<string, Buffer | string>>,
): Promise<string> {
  return await uploadModel(berth, `${name}.tar.gz`, await packModel(files))
}
