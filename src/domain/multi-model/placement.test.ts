import assert from 'node:assert/strict'
import { test } from 'node:test'

import { assumeService, chooseModelInstance } from './placement.ts'

const IDLE = { aloneMs: 30, aheadCount: 0, loaderMs: 0 }
const LOAD_MS = 10

test('an instance that has just come draws no model from one that has it and nothing to do', () => {
  const holder = { ...IDLE, instanceId: 'old', serviceMs: 30, presence: 'loaded' } as const
  const fresh = {
    ...IDLE,
    instanceId: 'new',
    serviceMs: 0,
    aloneMs: 0,
    presence: 'absent',
  } as const
  const candidates = assumeService([fresh, holder])
  assert.equal(chooseModelInstance(candidates, 'm', LOAD_MS)?.instanceId, 'old')
  // With work before the holder, a load elsewhere is quicker.
  const busy = { ...holder, instanceId: 'busy', serviceMs: 100 }
  const others = assumeService([busy, { ...holder, presence: 'absent' }, fresh])
  assert.notEqual(chooseModelInstance(others, 'm', LOAD_MS)?.instanceId, 'busy')
})

test('an instance that has answered nothing is not taken to be without work for that', () => {
  const holder = { ...IDLE, instanceId: 'old', serviceMs: 60, presence: 'loaded' } as const
  const fresh = { instanceId: 'new', serviceMs: 0, presence: 'loaded' } as const
  const quiet = assumeService([holder, { ...IDLE, ...fresh, aloneMs: 0, aheadCount: 0 }])
  assert.equal(chooseModelInstance(quiet, 'm', LOAD_MS)?.instanceId, 'new')
  const flooded = assumeService([holder, { ...IDLE, ...fresh, aloneMs: 0, aheadCount: 2 }])
  assert.equal(chooseModelInstance(flooded, 'm', LOAD_MS)?.instanceId, 'old')
})

test('where nothing is known of any, they are equals', () => {
  const one = { ...IDLE, instanceId: 'a', serviceMs: 0, aloneMs: 0, presence: 'absent' } as const
  const holder = { ...IDLE, instanceId: 'b', serviceMs: 0, aloneMs: 0, presence: 'loaded' } as const
  const candidates = assumeService([one, holder])
  assert.equal(chooseModelInstance(candidates, 'm', LOAD_MS)?.instanceId, 'b')
})
