import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseSiblings } from '../../src/domain/sibling-containers.ts'
import type { FleetSpec, ObservedInstance } from '../../src/domain/fleet.ts'
import { findFleet, fleetOf, untilReady } from '../contracts/fleet-runtime.ts'
import type { Behaviour } from '../contracts/fleet-runtime.ts'
import { until } from '../support/until.ts'
import { openProcessHarness } from './fleet-harness.ts'

function pairOf(image: string, second: Behaviour = 'serves'): FleetSpec {
  const container = (hostname: string, behaviour: Behaviour) => {
    return { hostname, image, environment: { BEHAVIOUR: behaviour }, modelData: undefined }
  }
  return fleetOf(image, 'serves', {
    containers: [container('first', 'serves'), container('second', second)],
  })
}

function containerOf(instance: ObservedInstance | undefined, hostname: string) {
  const found = instance?.containers?.find((container) => container.hostname === hostname)
  assert.ok(found)
  return found
}

describe('an instance of several containers', () => {
  test('is ready when all are, and each knows where the others are', async () => {
    await using world = await openProcessHarness()
    const spec = pairOf(world.image)
    await world.runtime.applyFleet(spec, 1)
    const [instance] = await untilReady(world.runtime, spec, 1)
    assert.ok(instance)
    const [first, second] = [containerOf(instance, 'first'), containerOf(instance, 'second')]
    assert.notEqual(first.pid, second.pid)
    const answer: unknown = JSON.parse(
      await world.invoke({ ...instance, address: second.address }, '/invocations'),
    )
    const { env } = answer as { env: Record<string, string> }
    assert.equal(env['BERTH_CONTAINER_HOSTNAME'], 'second')
    assert.deepEqual(parseSiblings(env['BERTH_CONTAINERS']), [
      { hostname: 'first', http: first.address },
      { hostname: 'second', http: second.address },
    ])
  })

  test('fails with a container that does not start, by its name', async () => {
    await using world = await openProcessHarness()
    const spec = pairOf(world.image, 'exits')
    await world.runtime.applyFleet(spec, 1)
    const failure = await until('the start has failed', async () => {
      return (await findFleet(world.runtime, spec))?.startFailure
    })
    assert.equal(failure.container, 'second')
    assert.match(failure.reason, /exited with code 3/)
  })

  test('starts one that crashes anew in its place, while the other goes on', async () => {
    await using world = await openProcessHarness({ limits: { steadyMs: 0 } })
    const spec = pairOf(world.image)
    await world.runtime.applyFleet(spec, 1)
    const [before] = await untilReady(world.runtime, spec, 1)
    const { pid } = containerOf(before, 'second')
    assert.ok(pid)
    process.kill(pid, 'SIGKILL')
    const after = await until('the container is back', async () => {
      const [instance] = (await findFleet(world.runtime, spec))?.instances ?? []
      return instance?.state === 'ready' && containerOf(instance, 'second').pid !== pid && instance
    })
    assert.equal(after.instanceId, before?.instanceId)
    assert.equal(containerOf(after, 'first').pid, containerOf(before, 'first').pid)
    assert.equal(containerOf(after, 'second').restartCount, 1)
  })

  test('is adopted by the next runtime with all of them', async () => {
    await using world = await openProcessHarness()
    const spec = pairOf(world.image)
    await world.runtime.applyFleet(spec, 1)
    const [before] = await untilReady(world.runtime, spec, 1)
    const runtime = await world.replaceRuntime()
    const [adopted] = (await findFleet(runtime, spec))?.instances ?? []
    assert.deepEqual(adopted?.containers, before?.containers)
    assert.equal(adopted?.state, 'ready')
  })
})
