import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { chooseInstance, chooseVariant } from './choose.ts'
import type { InstanceLoad } from './choose.ts'

const variants = [
  { variantName: 'blue', weight: 3 },
  { variantName: 'green', weight: 1 },
  { variantName: 'dark', weight: 0 },
]

const variantCases = [
  { given: 'the lowest random number', target: undefined, random: 0, chosen: 'blue' },
  { given: 'just inside the first share', target: undefined, random: 0.7499, chosen: 'blue' },
  { given: 'the border of the shares', target: undefined, random: 0.75, chosen: 'green' },
  { given: 'the highest random number', target: undefined, random: 1 - 2 ** -53, chosen: 'green' },
  { given: 'a target variant', target: 'green', random: 0, chosen: 'green' },
  { given: 'a target variant of weight 0', target: 'dark', random: 0, chosen: 'dark' },
  { given: 'an unknown target variant', target: 'Blue', random: 0, chosen: undefined },
]
for (const { given, target, random, chosen } of variantCases) {
  test(`variant: ${given} chooses ${chosen ?? 'none'}`, () => {
    assert.equal(chooseVariant(variants, target, random)?.variantName, chosen)
  })
}

test('variant: without any weight only a target is chosen', () => {
  const dark = [{ variantName: 'dark', weight: 0 }]
  assert.equal(chooseVariant(dark, undefined, 0.5), undefined)
  assert.equal(chooseVariant(dark, 'dark', 0.5)?.variantName, 'dark')
  assert.equal(chooseVariant([], undefined, 0.5), undefined)
})

test('variant: shares follow the weights over evenly spread random numbers', () => {
  const counts = { blue: 0, green: 0, dark: 0 }
  for (let step = 0; step < 1000; step++) {
    const name = chooseVariant(variants, undefined, step / 1000)?.variantName
    if (name === 'blue' || name === 'green' || name === 'dark') counts[name]++
  }
  assert.deepEqual(counts, { blue: 750, green: 250, dark: 0 })
})

function load(instanceId: string, given: Partial<InstanceLoad> = {}): InstanceLoad {
  return { instanceId, outstandingCount: 0, slotCount: 4, suspectUntilMs: 0, ...given }
}

const least = { strategy: 'LEAST_OUTSTANDING_REQUESTS', nowMs: 1_000 } as const
const random = { strategy: 'RANDOM', nowMs: 1_000 } as const

const instanceCases = [
  {
    given: 'least outstanding work',
    instances: [load('a', { outstandingCount: 2 }), load('b', { outstandingCount: 1 })],
    rule: least,
    random: 0,
    chosen: 'b',
  },
  {
    given: 'a tie, low random number',
    instances: [load('a'), load('b')],
    rule: least,
    random: 0,
    chosen: 'a',
  },
  {
    given: 'a tie, high random number',
    instances: [load('a'), load('b')],
    rule: least,
    random: 0.99,
    chosen: 'b',
  },
  {
    given: 'RANDOM, which does not look at the load',
    instances: [load('a', { outstandingCount: 3 }), load('b')],
    rule: random,
    random: 0.1,
    chosen: 'a',
  },
  {
    given: 'RANDOM with one full instance',
    instances: [load('a', { outstandingCount: 4 }), load('b')],
    rule: random,
    random: 0,
    chosen: 'b',
  },
  {
    given: 'a suspect instance that is idle',
    instances: [load('a', { suspectUntilMs: 1_001 }), load('b', { outstandingCount: 3 })],
    rule: least,
    random: 0,
    chosen: 'b',
  },
  {
    given: 'a suspicion that has passed',
    instances: [load('a', { suspectUntilMs: 1_000 }), load('b', { outstandingCount: 3 })],
    rule: least,
    random: 0,
    chosen: 'a',
  },
  {
    given: 'only suspect or full instances',
    instances: [load('a', { suspectUntilMs: 1_001 }), load('b', { outstandingCount: 4 })],
    rule: least,
    random: 0,
    chosen: undefined,
  },
  {
    given: 'a first attempt that failed on the idle one',
    instances: [load('a'), load('b', { outstandingCount: 3 })],
    rule: { ...least, avoidInstanceId: 'a' },
    random: 0,
    chosen: 'b',
  },
  {
    given: 'a first attempt that failed on the only able one',
    instances: [load('a'), load('b', { outstandingCount: 4 })],
    rule: { ...least, avoidInstanceId: 'a' },
    random: 0,
    chosen: 'a',
  },
]
for (const { given, instances, rule, random: number, chosen } of instanceCases) {
  test(`instance: ${given} chooses ${chosen ?? 'none'}`, () => {
    assert.equal(chooseInstance(instances, rule, number)?.instanceId, chosen)
  })
}

const anyLoads = fc.array(
  fc.record({
    instanceId: fc.string(),
    outstandingCount: fc.nat(5),
    slotCount: fc.nat(5),
    suspectUntilMs: fc.nat(20),
  }),
)
const anyRandom = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

test('property: an instance is chosen exactly when one can take it, never a full or suspect one', () => {
  fc.assert(
    fc.property(
      anyLoads,
      anyRandom,
      fc.constantFrom('RANDOM', 'LEAST_OUTSTANDING_REQUESTS'),
      fc.option(fc.string(), { nil: undefined }),
      (instances, number, strategy, avoidInstanceId) => {
        const rule = { strategy, nowMs: 10, avoidInstanceId } as const
        const chosen = chooseInstance(instances, rule, number)
        const able = instances.filter(
          (i) => i.outstandingCount < i.slotCount && i.suspectUntilMs <= 10,
        )
        assert.equal(chosen === undefined, able.length === 0)
        if (chosen !== undefined) assert.ok(able.includes(chosen))
      },
    ),
  )
})

test('property: an untargeted variant always has a weight, and there is one when any has', () => {
  const anyVariants = fc.array(
    fc.record({
      variantName: fc.string(),
      weight: fc.oneof(fc.constant(0), fc.float({ min: 0, max: 1e9, noNaN: true })),
    }),
  )
  fc.assert(
    fc.property(anyVariants, anyRandom, (given, number) => {
      const chosen = chooseVariant(given, undefined, number)
      assert.equal(
        chosen === undefined,
        given.every((variant) => variant.weight === 0),
      )
      if (chosen !== undefined) assert.ok(chosen.weight > 0)
    }),
  )
})
