import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startElements } from './cast.ts'
import type { Origin } from './cast.ts'
import type { ElementType } from './tensor.ts'

function cast(type: ElementType, value: unknown, origin: Origin): unknown {
  const filling = startElements(type, 1, origin)
  filling.put(0, value)
  return filling.elements[0]
}

type Case = readonly [type: ElementType, origin: Origin, value: unknown, expected: unknown]

const ACCEPTED: readonly Case[] = [
  ['float32', 'json', 0.1, Math.fround(0.1)],
  ['float32', 'json', null, NaN],
  ['float32', 'json', '-Infinity', -Infinity],
  ['float32', 'json', 3.4028235e38, Math.fround(3.4028235e38)],
  ['float32', 'numbers', Infinity, Infinity],
  ['float32', 'numbers', 7n, 7],
  ['float32', 'text', ' 1.5e3 ', 1500],
  ['float32', 'text', '', NaN],
  ['float32', 'text', 'nan', NaN],
  ['float64', 'text', '.5', 0.5],
  ['float16', 'json', 65_504, 65_504],
  ['int8', 'json', -128, -128],
  ['uint8', 'text', '255', 255],
  ['int32', 'text', '3.0', 3],
  ['int64', 'json', '9007199254740993', 9_007_199_254_740_993n],
  ['int64', 'json', -5, -5n],
  ['int64', 'numbers', 2n ** 63n - 1n, 2n ** 63n - 1n],
  ['uint64', 'json', '18446744073709551615', 2n ** 64n - 1n],
  ['bool', 'json', true, 1],
  ['bool', 'json', 0, 0],
  ['bool', 'text', 'True', 1],
  ['string', 'json', 'a', 'a'],
  ['string', 'json', 5, '5'],
  ['string', 'text', '', ''],
]

for (const [type, origin, value, expected] of ACCEPTED) {
  test(`${type} takes ${typeof value} ${String(value)} from ${origin}`, () => {
    assert.deepEqual(cast(type, value, origin), expected)
  })
}

const REFUSED: readonly (readonly [ElementType, Origin, unknown, RegExp])[] = [
  ['float32', 'json', '1.5', /"1.5" is not a number/],
  ['float32', 'text', 'constructor', /not a number/],
  ['float32', 'json', true, /true is not a number/],
  ['float32', 'json', 1e39, /does not fit float32/],
  ['float64', 'json', Number('1e999'), /does not fit float64/],
  ['float64', 'text', '1e999', /does not fit float64/],
  ['float16', 'json', 65_520, /does not fit float16/],
  ['float32', 'text', '0x10', /not a number/],
  ['float32', 'text', 'sepal length', /"sepal length" is not a number/],
  ['int8', 'json', 128, /128 does not fit int8/],
  ['uint8', 'json', -1, /-1 does not fit uint8/],
  ['int32', 'json', 1.5, /1.5 is not an integer/],
  ['int32', 'json', null, /null is not an integer/],
  ['int32', 'text', '', /"" is not an integer/],
  ['int64', 'json', 2 ** 53, /send it as a string/],
  ['int64', 'json', '9223372036854775808', /does not fit int64/],
  ['uint64', 'json', -1, /-1 does not fit uint64/],
  ['bool', 'json', 'true', /not a boolean/],
  ['bool', 'json', 2, /2 is not a boolean/],
  ['string', 'json', null, /null is not a string/],
]

for (const [type, origin, value, message] of REFUSED) {
  test(`${type} refuses ${typeof value} ${String(value)} from ${origin}`, () => {
    assert.throws(() => cast(type, value, origin), { message })
  })
}
