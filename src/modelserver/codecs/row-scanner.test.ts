import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import fc from 'fast-check'
import { RowScanner } from './row-scanner.ts'

const scanner = new RowScanner()
const scan = (text: string, rowElements: number): Float32Array | undefined =>
  scanner.scan(Buffer.from(text), rowElements)

/** What `JSON.parse` and an assignment make of it; undefined for anything but rows of numbers that float32 can say. */
function parse(text: string, rowElements: number): Float32Array | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof parsed !== 'object' || parsed === null || !('instances' in parsed)) return undefined
  const { instances, ...others } = parsed
  if (Object.keys(others).length > 0 || !Array.isArray(instances)) return undefined
  const values: unknown[] = []
  for (const row of instances) {
    if (!Array.isArray(row) || row.length !== rowElements) return undefined
    values.push(...row)
  }
  const floats = Float32Array.from(values, (value) => (typeof value === 'number' ? value : NaN))
  return floats.length > 0 && floats.every(Number.isFinite) ? floats : undefined
}

const digits = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...Array.from('00123456789')), minLength, maxLength })
const exponent = fc
  .tuple(fc.constantFrom('e', 'E'), fc.constantFrom('', '+', '-'), digits(1, 3))
  .map((parts) => parts.join(''))
/** Nearly a number of JSON, mostly one. */
const spelling = fc
  .tuple(
    fc.constantFrom('', '-', '', '+', '-', ' '),
    fc.oneof(digits(1, 3), fc.constant('0'), digits(0, 25)),
    fc.oneof(
      fc.constant(''),
      digits(0, 30).map((fraction) => `.${fraction}`),
    ),
    fc.oneof({ arbitrary: fc.constant(''), weight: 3 }, exponent),
  )
  .map((parts) => parts.join(''))
const float = fc.float({ noNaN: true, noDefaultInfinity: true })
const halfway = float
  .filter((low) => Math.abs(low) > 1e-42 && Math.abs(low) < 1e38)
  .map((low) => {
    const bits = new Uint32Array(Float32Array.of(low).buffer)
    const next = new Float32Array(Uint32Array.of((bits[0] ?? 0) + 1).buffer)[0] ?? 0
    return (low + next) / 2
  })
/** Lies halfway between two neighbours, or so near that only the last digits tell on which side. */
const midpoint = fc.oneof(
  fc
    .tuple(halfway, fc.constantFrom('', '0000000000001', '000000000000000000000000000000000000001'))
    .map(([middle, more]) => {
      const [mantissa = '', power = '0'] = middle.toExponential(20).split('e')
      return `${mantissa}${more}e${power}`
    }),
  fc.tuple(halfway, fc.integer({ min: 13, max: 20 })).map(([middle, precision]) => {
    return middle.toPrecision(precision)
  }),
  fc.tuple(halfway, fc.integer({ min: -3, max: 3 })).map(([middle, steps]) => {
    const bits = new BigUint64Array(Float64Array.of(middle).buffer)
    return String(new Float64Array(BigUint64Array.of((bits[0] ?? 0n) + BigInt(steps)).buffer)[0])
  }),
)
const number = fc.oneof(
  spelling,
  midpoint,
  float.map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.integer().map(String),
)

test('a number becomes what JSON.parse makes of it, and what is none is refused', () => {
  fc.assert(
    fc.property(number, (text) => {
      const body = `{"instances":[[${text}]]}`
      assert.deepEqual(scan(body, 1), parse(body, 1))
    }),
    { numRuns: 20_000 },
  )
})

const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\t', '\r'), maxLength: 2 })
const TOKENS = /[[\]{},:]|"instances"|[^[\]{},:"]+/g

test('space may stand between all parts', () => {
  const rows = fc.array(fc.tuple(float, float, float), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(rows, fc.infiniteStream(space), (instances, spaces) => {
      const plain = JSON.stringify({ instances })
      const tokens = plain.match(TOKENS) ?? []
      const text = tokens.map((token) => token + spaces.next().value).join('')
      const expected = parse(plain, 3)
      assert.notEqual(expected, undefined)
      assert.deepEqual(scan(text, 3), expected)
    }),
    { numRuns: 500 },
  )
})

test('of a body with characters changed it reads what JSON.parse reads, or nothing', () => {
  const good = '{"instances": [[1.5, -2e3, 0], [4, 5, 6.25]]}'
  const character = fc.constantFrom(...Array.from(' \n0123456789.-+eE,:[]{}"inst\u00e9\u0000'))
  const change = fc.tuple(fc.nat(good.length), fc.nat(2), character)
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      let text = good
      for (const [at, cut, put] of changes) text = text.slice(0, at) + put + text.slice(at + cut)
      assert.deepEqual(scan(text, 3), parse(text, 3))
    }),
    { numRuns: 20_000 },
  )
})

test('what was read is not changed by what is read after it', () => {
  const first = scan('{"instances":[[1,2]]}', 2)
  scan('{"instances":[[9,9],[9', 2)
  const rows = Array.from({ length: 20_000 }, (_, row) => [row, row / 4])
  const many = scan(JSON.stringify({ instances: rows }), 2)
  assert.deepEqual(many, Float32Array.from(rows.flat()))
  assert.deepEqual(scan('{"instances":[[3,4]]}', 2), Float32Array.of(3, 4))
  assert.deepEqual(first, Float32Array.of(1, 2))
  assert.deepEqual(many, Float32Array.from(rows.flat()))
})

test('rows of nothing are not read', () => assert.equal(scan('{"instances":[[]]}', 0), undefined))
