import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'

import { DescribeModelCommand, UpdateEndpointCommand } from '@aws-sdk/client-sagemaker'
import { InvokeEndpointCommand } from '@aws-sdk/client-sagemaker-runtime'

import { disposeBerth, startBerth } from '../support/berth.ts'
import type { RunningBerth } from '../support/berth.ts'
import { runCli } from '../support/run-cli.ts'
import { createConfig, describeInside, serveEndpoint, untilInService } from '../support/serving.ts'
import { until } from '../support/until.ts'

const NAMES = ['first', 'second', 'third'] as const

let berth: RunningBerth
before(async () => {
  berth = await startBerth()
  const containers = NAMES.map((ContainerHostname) => ({ ContainerHostname, Image: 'berth/echo' }))
  await serveEndpoint(berth, { name: 'direct', containers, executionMode: 'Direct' })
})
after(() => disposeBerth(berth))

/** What `berth/echo` of the container saw. */
async function seenBy(TargetContainerHostname: string): Promise<{ readonly pid: number }> {
  const command = new InvokeEndpointCommand({
    EndpointName: 'direct',
    TargetContainerHostname,
    CustomAttributes: 'headers=1',
    Body: 'x',
  })
  const { Body } = await berth.runtime.send(command)
  return JSON.parse(Body.transformToString()) as { readonly pid: number }
}

async function containersInside() {
  const { variants } = await describeInside(berth, 'direct')
  return variants.flatMap(({ instances }) => instances).flatMap(({ containers = [] }) => containers)
}

async function cli(...args: readonly string[]) {
  return await runCli([...args, '--data-dir', berth.dataDir])
}

suite('an endpoint whose callers name one of its containers', () => {
  test('the one that is named answers, and no other', async () => {
    const containers = await containersInside()
    assert.deepEqual(
      containers.map(({ hostname }) => hostname),
      [...NAMES],
    )
    for (const { hostname, pid } of containers) assert.equal((await seenBy(hostname)).pid, pid)
    await assert.rejects(seenBy('fourth'), /has no container fourth; it has first, second, third/)
  })

  test('is described as it was created', async () => {
    const { InferenceExecutionConfig, Containers } = await berth.sagemaker.send(
      new DescribeModelCommand({ ModelName: 'direct' }),
    )
    assert.deepEqual(InferenceExecutionConfig, { Mode: 'Direct' })
    assert.equal(Containers?.length, NAMES.length)
  })

  test('the command line names, describes and reads one container', async () => {
    const invoked = await cli('invoke', 'direct', '--target-container', 'second', '--body', 'hello')
    assert.equal(invoked.stdout, 'hello', invoked.stderr)
    const described = await until('the gateways to have reported', async () => {
      const { stdout } = await cli('describe', 'direct')
      return /AllTraffic +second +\d/.test(stdout) && stdout
    })
    for (const name of NAMES) {
      assert.match(described, new RegExp(`\\n[0-9a-f]{20} +${name} +ready +\\d+ +0\\n`))
    }
    assert.match(described, /\nAllTraffic +second +\d+ +0 +0 +[\d.]+ ms\n/)
    const logs = (await cli('logs', 'direct', '--container', 'third')).stdout.trimEnd().split('\n')
    for (const line of logs) assert.match(line, /^AllTraffic\/[0-9a-f]{20}\/third /)
    const refused = await cli('logs', 'direct', '--container', 'fourth')
    assert.match(
      refused.stderr,
      /has no container fourth among several: it has first, second, third/,
    )
  })

  test('after its container was killed, a name is answered again', async () => {
    const [, second] = await containersInside()
    assert.ok(second?.pid)
    process.kill(second.pid, 'SIGKILL')
    await until('another process to answer by the name', async () => {
      const seen = await seenBy('second').catch(() => undefined)
      return seen !== undefined && seen.pid !== second.pid
    })
  })

  test('an update from containers that are named to one that is not loses no name on the way', async () => {
    await createConfig(berth, { name: 'single' })
    const update = { EndpointName: 'direct', EndpointConfigName: 'single' }
    await berth.sagemaker.send(new UpdateEndpointCommand(update))
    await untilInService(berth, 'direct')
    await assert.rejects(seenBy('first'), /does not support target container hostname header/)
    const { Body } = await berth.runtime.send(
      new InvokeEndpointCommand({ EndpointName: 'direct', Body: 'plain' }),
    )
    assert.equal(Body.transformToString(), 'plain')
  })
})
