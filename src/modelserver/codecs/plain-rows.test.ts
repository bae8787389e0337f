import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { writePlainRows } from './plain-rows.ts'
import { encodeReply } from './reply.ts'
import type { Outcome } from './reply.ts'

const JSON_REPLY = { format: 'json', mediaType: 'application/json' } as const

function outcome(values: readonly number[], width: number, given: Partial<Outcome> = {}): Outcome {
  const elements = Float32Array.from(values.slice(0, values.length - (values.length % width)))
  const dims = [elements.length / width, width]
  const outputs = [{ name: 'y', type: 'float32', dims, elements }] as const
  return { outputs, presentation: { kind: 'plain' }, isColumnar: false, ...given }
}

test('a matrix is written as the general way writes it, to the byte', () => {
  const numbers = fc.array(fc.oneof(fc.float(), fc.constantFrom(-0, 1e-45, 3.4e38, 0.1)), {
    maxLength: 30,
  })
  fc.assert(
    fc.property(numbers, fc.integer({ min: 1, max: 5 }), (values, width) => {
      const given = outcome(values, width)
      const written = writePlainRows(given)
      const isPlain = given.outputs[0]?.elements.every((value) => Number.isFinite(Number(value)))
      assert.equal(written === undefined, isPlain === false)
      if (written !== undefined) {
        assert.equal(written.toString(), encodeReply(given, JSON_REPLY).toString())
      }
    }),
    { numRuns: 500 },
  )
})

test('everything else is left to the general way', () => {
  const plain = outcome([1, 2], 2)
  const [output] = plain.outputs
  assert.ok(output)
  assert.notEqual(writePlainRows(plain), undefined)
  assert.equal(writePlainRows({ ...plain, isColumnar: true }), undefined)
  assert.equal(writePlainRows({ ...plain, outputs: [output, output] }), undefined)
  assert.equal(writePlainRows({ ...plain, outputs: [] }), undefined)
  const scores = { kind: 'scores', classNames: ['a', 'b'] } as const
  assert.equal(writePlainRows({ ...plain, presentation: scores }), undefined)
  assert.equal(writePlainRows({ ...plain, outputs: [{ ...output, dims: [2] }] }), undefined)
  const integers = { ...output, type: 'int32', elements: Int32Array.of(1, 2) } as const
  assert.equal(writePlainRows({ ...plain, outputs: [integers] }), undefined)
})

test('some of the rows are written as if they were all', () => {
  const given = outcome([1, 2, 3, 4, 5, 6], 2)
  assert.equal(writePlainRows(given, { start: 1, end: 3 }), '{"predictions":[[3,4],[5,6]]}')
  assert.equal(writePlainRows(given, { start: 0, end: 1 }), '{"predictions":[[1,2]]}')
  const broken = outcome([1, NaN, 3, 4], 2)
  assert.equal(writePlainRows(broken, { start: 0, end: 1 }), undefined)
  assert.equal(writePlainRows(broken, { start: 1, end: 2 }), '{"predictions":[[3,4]]}')
})
