import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { DescribeEndpointCommand } from '@aws-sdk/client-sagemaker'

import { DEFAULT_LIMITS } from '../../../src/gateway/limits.ts'
import { disposeBerth, startBerth } from '../../support/berth.ts'
import type { RunningBerth } from '../../support/berth.ts'
import { Load } from '../../support/load.ts'
import { describeInside, serveEndpoint, untilReadyCount } from '../../support/serving.ts'
import { until } from '../../support/until.ts'

// How long the gateway lets an invocation wait for an instance.
const UNREADY_WAIT_MS = DEFAULT_LIMITS.unreadyWaitMs

let berth: RunningBerth
before(async () => {
  berth = await startBerth()
})
after(() => disposeBerth(berth))

test('an instance killed under load: retried or ModelError, no wrong answer, replaced, and an event says why', async () => {
  await serveEndpoint(berth, { name: 'two', instanceCount: 2 })
  const [victim, survivor] = await untilReadyCount(berth, 'two', 2)
  assert.ok(victim !== undefined && survivor !== undefined)
  await using load = new Load(berth, 'two', 8)
  await load.untilMoreAnswers()

  process.kill(victim.pid, 'SIGKILL')
  await load.untilMoreAnswers(50)
  const ready = await untilReadyCount(berth, 'two', 2)
  await load.untilMoreAnswers()
  await load.stop()

  assert.deepEqual(load.wrongAnswers, [])
  assert.deepEqual(load.failures, [])
  for (const { message } of load.modelErrors) assert.match(message, /the model process exited/)
  const ids = ready.map(({ instanceId }) => instanceId)
  assert.ok(ids.includes(survivor.instanceId), 'the other instance was left alone')
  assert.ok(!ids.includes(victim.instanceId), 'the killed one was replaced')
  await until('the count of DescribeEndpoint', async () => {
    const { EndpointStatus, ProductionVariants } = await berth.sagemaker.send(
      new DescribeEndpointCommand({ EndpointName: 'two' }),
    )
    return EndpointStatus === 'InService' && ProductionVariants?.[0]?.CurrentInstanceCount === 2
  })
  const { events } = await describeInside(berth, 'two')
  const ofVictim = events.filter(({ inputs }) => inputs['instanceId'] === victim.instanceId)
  const reasons = ofVictim.map(({ reason }) => reason)
  assert.ok(
    reasons.some((reason) => /was killed by SIGKILL/.test(reason)),
    `an event says why: ${JSON.stringify(reasons)}`,
  )
})

test('every instance killed under load: the endpoint heals by itself', async () => {
  await serveEndpoint(berth, { name: 'one' })
  const [victim] = await untilReadyCount(berth, 'one', 1)
  assert.ok(victim !== undefined)
  await using load = new Load(berth, 'one')
  await load.untilMoreAnswers()

  const killedAtMs = performance.now()
  process.kill(victim.pid, 'SIGKILL')
  await load.untilMoreAnswers()
  const awayMs = load.msToFirstAnswerAfter(killedAtMs) ?? Infinity
  const [replacement] = await untilReadyCount(berth, 'one', 1)
  await load.stop()

  assert.notEqual(replacement?.instanceId, victim.instanceId)
  assert.deepEqual(load.wrongAnswers, [])
  // An invocation waits for an instance that is on its way, so nobody is turned away; but not for ever, should the machine
  // take longer than the gateway waits.
  if (awayMs < UNREADY_WAIT_MS) assert.deepEqual(load.failures, [])
  for (const { message } of load.failures) assert.match(message, /has no healthy instance/)
})
