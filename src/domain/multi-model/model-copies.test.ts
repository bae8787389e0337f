import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ModelCopies } from './model-copies.ts'
import { assumeService } from './placement.ts'
import type { ModelCandidate } from './placement.ts'

const LOAD_MS = 40

function candidate(instanceId: string, changes: Partial<ModelCandidate> = {}): ModelCandidate {
  const idle = { serviceMs: 8, aloneMs: 8, aheadCount: 0, loaderMs: 0 }
  return { instanceId, presence: 'absent', ...idle, ...changes }
}

/** Until a copy is due: how many invocations, so far apart from each other. */
function untilCopy(
  chosen: ModelCandidate,
  others: readonly ModelCandidate[],
  gapMs = 0,
): { readonly count: number; readonly instanceId: string | undefined } {
  const copies = new ModelCopies()
  for (let count = 1; count <= 1_000; count += 1) {
    const placed = { targetModel: 'm', loadMs: LOAD_MS, nowMs: count * gapMs }
    const due = copies.recordChoice(chosen, [chosen, ...others], placed)
    if (due !== undefined) return { count, instanceId: due.instanceId }
  }
  return { count: Infinity, instanceId: undefined }
}

test('a copy is due when what was waited adds up to its load, on the least busy instance without the model', () => {
  const holder = candidate('i1', { presence: 'loaded', serviceMs: 18 })
  const others = [candidate('i2', { serviceMs: 12 }), candidate('i3')]
  assert.deepEqual(untilCopy(holder, others), { count: 4, instanceId: 'i3' })
  assert.equal(untilCopy(candidate('i1', { presence: 'loaded', serviceMs: 50 }), others).count, 1)
})

test('none is due where nobody waits, every instance has the model, or each that has not is loading another', () => {
  const holder = candidate('i1', { presence: 'loaded', serviceMs: 18 })
  const nobody = candidate('i1', { presence: 'loaded' })
  assert.equal(untilCopy(nobody, [candidate('i2')]).count, Infinity)
  const all = [candidate('i2', { presence: 'loaded' }), candidate('i3', { presence: 'loading' })]
  assert.equal(untilCopy(holder, all).count, Infinity)
  assert.equal(untilCopy(holder, [candidate('i2', { loaderMs: 5 })]).count, Infinity)
})

test('none is due for an instance that is slow with nothing before it', () => {
  const slow = candidate('i1', { presence: 'loaded', serviceMs: 18, aloneMs: 18 })
  assert.equal(untilCopy(slow, [candidate('i2')]).count, Infinity)
})

test('one is due on an instance that has never answered anything', () => {
  const holder = candidate('i1', { presence: 'loaded', serviceMs: 18, aheadCount: 1 })
  const [, fresh] = assumeService([holder, candidate('i2', { serviceMs: 0, aloneMs: 0 })])
  assert.ok(fresh)
  assert.deepEqual(untilCopy(holder, [fresh]), { count: 4, instanceId: 'i2' })
})

test('what was waited long ago does not add up', () => {
  const holder = candidate('i1', { presence: 'loaded', serviceMs: 18 })
  assert.equal(untilCopy(holder, [candidate('i2')], 60_000).count, Infinity)
})
