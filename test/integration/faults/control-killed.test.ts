import assert from 'node:assert/strict'
import { afterEach, suite, test } from 'node:test'

import {
  CreateEndpointCommand,
  CreateModelCommand,
  DeleteEndpointCommand,
  DescribeModelCommand,
} from '@aws-sdk/client-sagemaker'

import { disposeBerth, installationPids, startBerth } from '../../support/berth.ts'
import type { RunningBerth } from '../../support/berth.ts'
import { Load } from '../../support/load.ts'
import {
  createConfig,
  describePlatform,
  readyInstances,
  serveEndpoint,
  untilInService,
  untilReadyCount,
} from '../../support/serving.ts'
import { until } from '../../support/until.ts'

suite('control killed', () => {
  let berth: RunningBerth
  afterEach(() => disposeBerth(berth))

  test('under load: no invocation fails, and the next control adopts gateway and instances', async () => {
    berth = await startBerth()
    await serveEndpoint(berth, { name: 'echo', instanceCount: 2 })
    const instances = await untilReadyCount(berth, 'echo', 2)
    const platform = await describePlatform(berth)
    await using load = new Load(berth, 'echo')
    await load.untilMoreAnswers()

    await berth.killControl()
    await load.untilMoreAnswers(200)
    berth = await restart(berth)
    await load.untilMoreAnswers(200)
    const platformAfter = await describePlatform(berth)
    const instancesAfter = await readyInstances(berth, 'echo')
    await load.stop()

    assert.deepEqual(load.failures, [])
    assert.deepEqual(load.modelErrors, [])
    assert.deepEqual(load.wrongAnswers, [])
    assert.deepEqual(
      platformAfter.gateways.map(({ pid }) => pid),
      platform.gateways.map(({ pid }) => pid),
    )
    assert.deepEqual(instancesAfter, instances)
    assert.equal(platformAfter.control.pid, berth.control.pid)
  })

  test('right after an answer: what was acknowledged is there, and an endpoint gets into service', async () => {
    berth = await startBerth()
    await createConfig(berth, { name: 'late' })
    // The endpoint is acknowledged while the model behind it is: whatever was answered counts.
    const model = new CreateModelCommand({
      ModelName: 'last-word',
      ExecutionRoleArn: 'arn:aws:iam::000000000000:role/berth',
      PrimaryContainer: { Image: 'berth/echo' },
    })
    const endpoint = new CreateEndpointCommand({
      EndpointName: 'late',
      EndpointConfigName: 'late',
    })
    await Promise.all([berth.sagemaker.send(model), berth.sagemaker.send(endpoint)])
    await berth.killControl()
    berth = await restart(berth)
    await berth.sagemaker.send(new DescribeModelCommand({ ModelName: 'last-word' }))
    await untilInService(berth, 'late')
  })

  test('while instances start: the next control knows every process', async () => {
    berth = await startBerth()
    await createConfig(berth, { name: 'starting', instanceCount: 3 })
    const input = { EndpointName: 'starting', EndpointConfigName: 'starting' }
    await berth.sagemaker.send(new CreateEndpointCommand(input))
    await until('a process of an instance', () => modelServerPids(berth).length > 0)
    await berth.killControl()
    berth = await restart(berth)
    await untilInService(berth, 'starting')
    const ready = await untilReadyCount(berth, 'starting', 3)
    const known = ready.map(({ pid }) => pid)
    await until('no other process of an instance', () => {
      const running = modelServerPids(berth)
      return running.length === 3 && running.every((pid) => known.includes(pid))
    })
  })

  test('in the middle of a burst: every endpoint that was acknowledged gets into service', async () => {
    berth = await startBerth()
    await createConfig(berth, { name: 'many' })
    const acknowledged: string[] = []
    const create = async (name: string): Promise<void> => {
      const input = { EndpointName: name, EndpointConfigName: 'many' }
      await berth.sagemaker.send(new CreateEndpointCommand(input))
      acknowledged.push(name)
    }
    const names = Array.from({ length: 8 }, (_, index) => `burst-${index}`)
    const burst = Promise.allSettled(names.map(create))
    await until('some to be acknowledged', () => acknowledged.length >= 4)
    await berth.killControl()
    await burst
    berth = await restart(berth)
    await create('after')
    for (const name of acknowledged) await untilInService(berth, name)
  })

  test('while an endpoint is deleted: the next control ends it', async () => {
    berth = await startBerth()
    await serveEndpoint(berth, { name: 'leaving' })
    await berth.sagemaker.send(new DeleteEndpointCommand({ EndpointName: 'leaving' }))
    await berth.killControl()
    berth = await restart(berth)
    await until('no process of an instance', () => modelServerPids(berth).length === 0)
  })
})

async function restart(berth: RunningBerth): Promise<RunningBerth> {
  return await startBerth({ dataDir: berth.dataDir, port: berth.port })
}

function modelServerPids({ dataDir }: RunningBerth): readonly number[] {
  return installationPids(dataDir, 'modelserver/main')
}
