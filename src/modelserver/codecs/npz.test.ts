import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bindRequest } from './bind.ts'
import { encodeNpy } from './npy.ts'
import type { NumericType } from './npy.ts'
import { encodeNpz } from './npz.ts'
import { parseRequest } from './request.ts'
import type { Signature } from './signature.ts'
import { countElements, createElements } from './tensor.ts'
import { encodeZip } from './zip-writer.ts'

const SIGNATURE: Signature = {
  inputs: [
    { name: 'x', type: 'float32', dims: ['N', 2] },
    { name: 'count', type: 'int64', dims: ['N'] },
  ],
  outputs: [],
}
const X = { type: 'float32', dims: [1, 2], elements: Float32Array.of(1.5, 2) } as const
const COUNT = { type: 'int64', dims: [1], elements: BigInt64Array.of(7n) } as const

for (const { given, names } of [
  { given: 'arrays by name, in any order', names: ['count', 'x'] },
  { given: 'arrays without names, in the order of the inputs', names: ['arr_0', 'arr_1'] },
] as const) {
  test(`binds ${given}`, () => {
    const [first, second] = names[0] === 'count' ? [COUNT, X] : [X, COUNT]
    const body = encodeNpz([
      { name: names[0], ...first },
      { name: names[1], ...second },
    ])
    assert.deepEqual(bindRequest(parseRequest('npz', body), SIGNATURE), [
      { name: 'x', ...X },
      { name: 'count', ...COUNT },
    ])
  })
}

for (const { given, body, message } of [
  {
    given: 'a name that is no input',
    body: encodeNpz([{ name: 'z', ...X }]),
    message: /the npz body names z, not an input.*The model takes inputs: x float32 \[N, 2\]/,
  },
  {
    given: 'too few arrays',
    body: encodeNpz([{ name: 'x', ...X }]),
    message: /the npz body lacks count/,
  },
  {
    given: 'text',
    body: encodeNpz([{ name: 'x', type: 'string', dims: [1], elements: ['a'] }]),
    message: /elements of '<U1'/,
  },
  {
    given: 'no arrays at all',
    body: encodeZip(new Map()),
    message: /the npz body lacks x, count/,
  },
  {
    given: 'what is no array',
    body: encodeZip(new Map([['x.txt', encodeNpy(X).subarray(1)]])),
    message: /not an npy file/,
  },
] as const) {
  test(`refuses ${given}`, () => {
    assert.throws(() => bindRequest(parseRequest('npz', body), SIGNATURE), {
      name: 'Rejection',
      status: 400,
      message,
    })
  })
}

test('text that would be too large as a numpy array is refused', () => {
  const elements = ['x'.repeat(2 ** 20), ...Array.from({ length: 63 }, () => '')]
  assert.throws(() => encodeNpz([{ name: 'y', type: 'string', dims: [64], elements }]), {
    status: 406,
    message: /64 texts of which one has 1048576 characters/,
  })
})

const TYPES: readonly NumericType[] = ['float16', 'float64', 'int8', 'uint16', 'int64', 'bool']
const tensors = fc.uniqueArray(
  fc.record({
    name: fc.string({ unit: 'grapheme', minLength: 1 }).filter((name) => !name.includes('.npy')),
    type: fc.constantFrom(...TYPES),
    dims: fc.array(fc.nat(3), { maxLength: 3 }),
    byte: fc.nat(1),
  }),
  { selector: ({ name }) => name, maxLength: 5 },
)

test('property: what is written reads back, for every name, type and shape', () => {
  fc.assert(
    fc.property(tensors, (given) => {
      const written = given.map(({ name, type, dims, byte }) => {
        const elements = createElements(type, countElements(dims))
        new Uint8Array(elements.buffer).fill(byte)
        return { name, type, dims, elements }
      })
      const read = parseRequest('npz', encodeNpz(written))
      assert.equal(read.kind, 'arrays')
      assert.deepEqual(
        read.kind === 'arrays' && [...read.arrays].map(([name, array]) => ({ name, ...array })),
        written,
      )
    }),
  )
})
