import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SequenceLine } from './sequence-line.ts'
import type { Sequence, SequenceItem } from './sequence-line.ts'

interface Item extends SequenceItem {
  readonly name: string
}

/** `a` is in the middle of sequence a, `^a` starts it, `a$` ends it, `^a$` is all of it. */
const item = (name: string, deadlineAtMs = Infinity): Item => {
  return {
    name,
    correlationId: name.replaceAll(/[\^$\d]/g, ''),
    isStart: name.startsWith('^'),
    isEnd: name.endsWith('$'),
    enqueuedAtMs: 0,
    deadlineAtMs,
  }
}
const create = (instanceCount: number, slotCount: number) =>
  new SequenceLine<Item>({ instanceCount, slotCount, idleMs: 10 })
const names = (items: readonly (Item | undefined)[]): string =>
  items.map((one) => one?.name ?? '·').join(' ')

/** Takes the next request of every slot and is done with it at once. */
function runAll(line: SequenceLine<Item>, instance: number, nowMs = 0): string {
  const slots = line.heads(instance).flatMap((head, slot) => (head === undefined ? [] : slot))
  const taken = line.take(instance, slots)
  line.finish(
    taken.map(({ sequence }) => sequence),
    nowMs,
  )
  return names(taken.map((one) => one.item))
}

test('a sequence must be started, and is unknown after its end', () => {
  const line = create(1, 2)
  assert.equal(line.add(item('a'), 0), false)
  assert.deepEqual(
    ['^a', 'a', 'a$'].map((name) => line.add(item(name), 0)),
    [true, true, true],
  )
  assert.equal(line.add(item('a'), 0), false)
  assert.deepEqual([runAll(line, 0), runAll(line, 0), runAll(line, 0)], ['^a', 'a', 'a$'])
  assert.equal(line.size, 0)
})

test('sequences take the lowest slot of any instance and keep it, with gaps', () => {
  const line = create(2, 2)
  for (const name of ['^a', '^b', '^c', '^d', '^e']) line.add(item(name), 0)
  assert.deepEqual([names(line.heads(0)), names(line.heads(1))], ['^a ^c', '^b ^d'])
  runAll(line, 0)
  line.add(item('c'), 0)
  assert.equal(names(line.heads(0)), '· c')
  line.add(item('a$'), 0)
  assert.equal(runAll(line, 0), 'a$ c')
  assert.equal(names(line.heads(0)), '^e')
})

test('a start on an open sequence comes behind what waits of it', () => {
  const line = create(1, 1)
  for (const name of ['^a', 'a', '^a2', 'a3$']) assert.ok(line.add(item(name), 0))
  assert.deepEqual(
    [1, 2, 3, 4].map(() => runAll(line, 0)),
    ['^a', 'a', '^a2', 'a3$'],
  )
})

test('an idle sequence gives its slot up, one that waits or runs does not', () => {
  const line = create(1, 1)
  line.add(item('^a'), 0)
  line.add(item('^b'), 5)
  assert.equal(line.nextExpiryAtMs, Infinity)
  assert.deepEqual(line.expire(100), [])
  assert.equal(runAll(line, 0, 101), '^a')
  assert.equal(line.nextExpiryAtMs, 111)
  line.expire(110)
  assert.deepEqual(line.heads(0), [])
  line.expire(111)
  assert.equal(names(line.heads(0)), '^b')
  assert.equal(line.isOpen('a'), false)
})

test('a sequence that waits too long for a slot is refused whole', () => {
  const line = create(1, 1)
  line.add(item('^a'), 0)
  line.add(item('^b', 7), 0)
  line.add(item('b', 5), 0)
  assert.equal(line.nextExpiryAtMs, 5)
  assert.equal(names(line.expire(5)), '^b b')
  assert.equal(line.add(item('b'), 5), false)
  assert.equal(line.size, 1)
})

test('who is cancelled takes the rest of the sequence along, not its next start', () => {
  const line = create(1, 1)
  const items = ['^a', 'a1', 'a2', '^a3', '^b'].map((name) => item(name))
  for (const one of items) line.add(one, 0)
  assert.equal(names(line.cancel(items[1] as Item)), 'a1 a2')
  assert.deepEqual([runAll(line, 0), runAll(line, 0)], ['^a', '^a3'])
  const last = item('a4')
  line.add(last, 0)
  assert.equal(names(line.cancel(last)), 'a4')
  assert.equal(names(line.heads(0)), '^b')
  assert.deepEqual(line.cancel(last), [])
})

test('property: no request is lost, doubled, out of order, or run as another sequence’s', () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('add' as const),
      id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      isStart: fc.boolean(),
      isEnd: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('run' as const), instance: fc.integer({ min: 0, max: 1 }) }),
    fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 20 }) }),
    fc.record({ kind: fc.constant('cancel' as const), at: fc.nat() }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const line = create(2, 2)
      const [waiting, out] = [new Set<Item>(), new Set<Item>()]
      const lastOf = new Map<Sequence, number>()
      let [nowMs, count] = [0, 0]
      const leave = (one: Item): void => {
        assert.ok(waiting.delete(one) && !out.has(one))
        out.add(one)
      }
      const run = (instance: number): number => {
        const heads = line.heads(instance)
        const slots = heads.flatMap((head, slot) => (head === undefined ? [] : slot))
        const taken = line.take(instance, slots)
        assert.equal(new Set(taken.map(({ sequence }) => sequence)).size, taken.length)
        for (const { item: one, sequence } of taken) {
          leave(one)
          assert.equal(sequence.correlationId, one.correlationId)
          const before = lastOf.get(sequence)
          assert.ok(before === undefined ? one.isStart : before < one.enqueuedAtMs)
          lastOf.set(sequence, one.enqueuedAtMs)
        }
        line.finish(
          taken.map(({ sequence }) => sequence),
          nowMs,
        )
        return taken.length
      }
      for (const one of steps) {
        if (one.kind === 'add') {
          const { id, isStart, isEnd } = one
          count += 1
          const added = { ...item(''), correlationId: id, isStart, isEnd, enqueuedAtMs: count }
          const isTaken = line.add(added, nowMs)
          if (isTaken) waiting.add(added)
          assert.ok(isTaken || !isStart)
        } else if (one.kind === 'run') run(one.instance)
        else if (one.kind === 'pass') {
          nowMs += one.ms
          assert.deepEqual(line.expire(nowMs), [])
        } else {
          const chosen = [...waiting][one.at % Math.max(1, waiting.size)]
          if (chosen === undefined) continue
          const cancelled = line.cancel(chosen)
          assert.equal(cancelled[0], chosen)
          for (const gone of cancelled) {
            assert.equal(gone.correlationId, chosen.correlationId)
            leave(gone)
          }
        }
        assert.equal(line.size, waiting.size)
      }
      // Whatever happened, everything that waits gets its turn once idle sequences are gone.
      while (waiting.size > 0) {
        nowMs += 100
        line.expire(nowMs)
        assert.ok(run(0) + run(1) > 0)
      }
    }),
  )
})
