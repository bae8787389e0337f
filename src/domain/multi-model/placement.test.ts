import assert from 'node:assert/strict'
import { test } from 'node:test'

import { assumeService, chooseModelInstance } from './placement.ts'

const IDLE = { loaderMs: 0, displacedMs: 0 }
const LOAD_MS = 10

test('an instance that has just come draws no model from one that has it and nothing to do', () => {
  const holder = { ...IDLE, instanceId: 'old', serviceMs: 30, presence: 'loaded' } as const
  const fresh = { ...IDLE, instanceId: 'new', serviceMs: 0, presence: 'absent' } as const
  const candidates = assumeService([fresh, holder])
  assert.equal(chooseModelInstance(candidates, 'm', LOAD_MS)?.instanceId, 'old')
  // With work before the holder, a load elsewhere is quicker.
  const busy = { ...holder, instanceId: 'busy', serviceMs: 100 }
  const others = assumeService([busy, { ...holder, presence: 'absent' }, fresh])
  assert.notEqual(chooseModelInstance(others, 'm', LOAD_MS)?.instanceId, 'busy')
})

test('where nothing is known of any, they are equals', () => {
  const one = { ...IDLE, instanceId: 'a', serviceMs: 0, presence: 'absent' } as const
  const holder = { ...IDLE, instanceId: 'b', serviceMs: 0, presence: 'loaded' } as const
  const candidates = assumeService([one, holder])
  assert.equal(chooseModelInstance(candidates, 'm', LOAD_MS)?.instanceId, 'b')
})
