import assert from 'node:assert/strict'
import { suite, test } from 'node:test'

import { inferJsonKind, inferTextKind, joinKinds, parseText } from './infer-column.ts'

suite('what a text of a file is', () => {
  for (const [given, kind, value] of [
    ['-12', 'integer', -12],
    ['0.5', 'real', 0.5],
    ['1e-3', 'real', 0.001],
    ['00501', 'text', '00501'],
    ['12345678901234567890', 'real', 12345678901234567000],
    ['true', 'boolean', true],
    ['NaN', 'text', 'NaN'],
    ['1e999', 'text', '1e999'],
    [' 1', 'text', ' 1'],
  ] as const) {
    test(given, () => {
      assert.equal(inferTextKind(given), kind)
      assert.deepEqual(parseText(given, kind), value)
    })
  }
  test('nothing is no value of any kind', () => {
    assert.equal(inferTextKind(''), undefined)
    assert.equal(parseText('', 'text'), null)
  })
})

test('a column holds the kinds of all its values, or none does', () => {
  assert.equal(joinKinds('integer', 'real'), 'real')
  assert.equal(joinKinds(undefined, 'text'), 'text')
  assert.equal(joinKinds('boolean', undefined), 'boolean')
  assert.equal(joinKinds('integer', 'text'), undefined)
  assert.deepEqual([1, 1.5, 'a', [1], null].map(inferJsonKind), [
    'integer',
    'real',
    'text',
    'json',
    undefined,
  ])
})
