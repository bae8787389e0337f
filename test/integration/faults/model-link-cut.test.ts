import assert from 'node:assert/strict'
import { suite, test } from 'node:test'

import { SimulatedModelPlatform } from '../../support/simulated-model-platform.ts'

const SEEDS = Array.from({ length: 6 }, (_, index) => index + 1)
const SETTING = {
  gatewayCount: 2,
  callersPerGateway: 3,
  modelCount: 12,
  modelsMax: 4,
  faultEveryMs: 400,
  faultsUntilMs: 6_000,
  untilMs: 20_000,
} as const

/** @throws AssertionError with what had been done to it, so that the seed can be looked at. */
async function run(setting: ConstructorParameters<typeof SimulatedModelPlatform>[0]) {
  const platform = new SimulatedModelPlatform(setting)
  await platform.run()
  const { gateways, container, faults } = platform
  const alive = gateways.filter(({ isAlive }) => isAlive)
  const said = `seed ${setting.seed}; ${faults.join('; ')}`
  assert.deepEqual(
    alive.flatMap(({ waiting }) => waiting),
    [],
    `calls wait for ever: ${said}`,
  )
  assert.deepEqual(
    gateways.flatMap(({ wrongs }) => wrongs),
    [],
    `wrong answers: ${said}`,
  )
  assert.deepEqual(container.breaches, [], `unloaded while in use: ${said}`)
  return platform
}

suite('gateways, control and the line between them fail at random moments', () => {
  for (const isCaching of [true, false]) {
    test(`every call is answered by its model, nothing is unloaded while it answers (caching: ${isCaching})`, async () => {
      let okCount = 0
      let unloadCount = 0
      for (const seed of SEEDS) {
        const { gateways, container } = await run({ ...SETTING, isCaching, seed })
        okCount += gateways.reduce((sum, gateway) => sum + gateway.okCount, 0)
        unloadCount += container.unloadCount
      }
      assert.ok(okCount > 500 && unloadCount > 50, `${okCount} answers, ${unloadCount} unloads`)
    })
  }
})
