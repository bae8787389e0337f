import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatGeneral, tensorText } from './tensor-text.ts'

// What C's printf("%g") says.
for (const [value, text] of [
  [1, '1'],
  [-0, '-0'],
  [0.1, '0.1'],
  [Math.fround(0.1), '0.1'],
  [100000, '100000'],
  [1_000_000, '1e+06'],
  [123456789, '1.23457e+08'],
  [999999.5, '1e+06'],
  [0.0001, '0.0001'],
  [0.00001, '1e-05'],
  [1e300, '1e+300'],
  [-2.5, '-2.5'],
  [Number.NaN, 'nan'],
  [-Infinity, '-inf'],
] as const) {
  test(`${value} is ${text} in a trace`, () => assert.equal(formatGeneral(value), text))
}

test('texts have quotes, truths are numbers', () => {
  const text = Buffer.from('\x01\0\0\0a\0\0\0\0')
  assert.equal(tensorText({ name: 'x', datatype: 'BYTES', shape: [2], data: text }), '"a",""')
  const truths = Uint8Array.of(1, 0)
  assert.equal(tensorText({ name: 'x', datatype: 'BOOL', shape: [2], data: truths }), '1,0')
})
