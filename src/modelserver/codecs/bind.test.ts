import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { bindRequest } from './bind.ts'
import type { Format } from './media-type.ts'
import { encodeNpy } from './npy.ts'
import { parseRequest } from './request.ts'
import type { Signature } from './signature.ts'

const output = { name: 'y', type: 'float32', dims: ['N', 1] } as const
const ONE: Signature = {
  inputs: [{ name: 'x', type: 'float32', dims: ['N', 3] }],
  outputs: [output],
}
const MIXED: Signature = {
  inputs: [
    { name: 'age', type: 'float32', dims: ['?', 1] },
    { name: 'sex', type: 'string', dims: ['?', 1] },
    { name: 'pair', type: 'int64', dims: ['?', 2] },
  ],
  outputs: [output],
}

function bind(signature: Signature, format: Format, body: string | Buffer) {
  const tensors = bindRequest(parseRequest(format, Buffer.from(body)), signature)
  return Object.fromEntries(
    tensors.map(({ name, dims, elements }) => [name, { dims, values: [...elements] }]),
  )
}

const TWO_ROWS = { x: { dims: [2, 3], values: [1, 2, 3, 4, 5, 6] } }
const ONE_ROW = { x: { dims: [1, 3], values: [1, 2, 3] } }
const PASSENGERS = {
  age: { dims: [2, 1], values: [22, 38] },
  sex: { dims: [2, 1], values: ['male', 'a,b'] },
  pair: { dims: [2, 2], values: [1n, 2n, 3n, 4n] },
}

for (const { given, signature, format, body, expected } of [
  {
    given: 'instances',
    signature: ONE,
    format: 'json',
    body: '{"instances":[[1,2,3],[4,5,6]]}',
    expected: TWO_ROWS,
  },
  {
    given: 'a bare array',
    signature: ONE,
    format: 'json',
    body: '[[1,2,3],[4,5,6]]',
    expected: TWO_ROWS,
  },
  { given: 'one bare row', signature: ONE, format: 'json', body: '[1,2,3]', expected: ONE_ROW },
  {
    given: 'named instances of a single input',
    signature: ONE,
    format: 'json',
    body: '{"instances":[{"x":[1,2,3]}]}',
    expected: ONE_ROW,
  },
  {
    given: 'inputs',
    signature: ONE,
    format: 'json',
    body: '{"inputs":[[1,2,3]]}',
    expected: ONE_ROW,
  },
  {
    given: 'named inputs',
    signature: ONE,
    format: 'json',
    body: '{"inputs":{"x":[1,2,3]}}',
    expected: ONE_ROW,
  },
  { given: 'csv', signature: ONE, format: 'csv', body: '1,2,3\n4,5,6\n', expected: TWO_ROWS },
  {
    given: 'lines',
    signature: ONE,
    format: 'jsonlines',
    body: '[1,2,3]\r\n[4,5,6]\n\n',
    expected: TWO_ROWS,
  },
  {
    given: 'named lines',
    signature: ONE,
    format: 'jsonlines',
    body: '{"x":[1,2,3]}',
    expected: ONE_ROW,
  },
  {
    given: 'several inputs by name',
    signature: MIXED,
    format: 'json',
    body: '{"instances":[{"age":22,"sex":"male","pair":[1,2]},{"pair":[3,4],"age":38,"sex":"a,b"}]}',
    expected: PASSENGERS,
  },
  {
    given: 'several inputs in order',
    signature: MIXED,
    format: 'json',
    body: '[[22,"male",1,2],[38,"a,b",3,4]]',
    expected: PASSENGERS,
  },
  {
    given: 'several inputs in csv',
    signature: MIXED,
    format: 'csv',
    body: '22,male,1,2\n38,"a,b",3,4',
    expected: PASSENGERS,
  },
  {
    given: 'several columns',
    signature: MIXED,
    format: 'json',
    body: '{"inputs":{"age":[22,38],"sex":[["male"],["a,b"]],"pair":[[1,2],[3,4]]}}',
    expected: PASSENGERS,
  },
] as const) {
  test(`binds ${given}`, () => assert.deepEqual(bind(signature, format, body), expected))
}

test('binds npy of another number type', () => {
  const npy = encodeNpy({ type: 'int64', dims: [1, 3], elements: BigInt64Array.of(1n, 2n, 3n) })
  assert.deepEqual(bind(ONE, 'npy', npy), ONE_ROW)
})

for (const { given, signature, format, body, message } of [
  {
    given: 'a wrong width',
    signature: ONE,
    format: 'json',
    body: '{"instances":[[1,2]]}',
    message:
      /x was given shape \[1, 2\]\. The model takes inputs: x float32 \[N, 3\]; outputs: y float32 \[N, 1\]/,
  },
  {
    given: 'a flat row as instances',
    signature: ONE,
    format: 'json',
    body: '{"instances":[1,2,3]}',
    message: /shape \[3\]/,
  },
  {
    given: 'a wrong type',
    signature: ONE,
    format: 'json',
    body: '{"instances":[[1,2,3],[4,"a",6]]}',
    message: /x row 2 value 2: "a" is not a number/,
  },
  {
    given: 'a header line',
    signature: ONE,
    format: 'csv',
    body: 'a,b,c\n1,2,3',
    message: /x row 1 value 1: "a" is not a number/,
  },
  {
    given: 'uneven csv',
    signature: ONE,
    format: 'csv',
    body: '1,2,3\n4,5',
    message: /row 1 has 3 fields and row 2 has 2/,
  },
  {
    given: 'no rows',
    signature: ONE,
    format: 'json',
    body: '{"instances":[]}',
    message: /no rows|shape \[0\]/,
  },
  { given: 'an empty body', signature: ONE, format: 'json', body: '', message: /body is empty/ },
  {
    given: 'bad JSON',
    signature: ONE,
    format: 'json',
    body: '{"instances":[[1,2,',
    message: /The body is not JSON/,
  },
  {
    given: 'NaN as Python writes it',
    signature: ONE,
    format: 'json',
    body: '[[NaN,1,2]]',
    message: /send them as strings/,
  },
  {
    given: 'a bad line',
    signature: ONE,
    format: 'jsonlines',
    body: '[1,2,3]\n[1',
    message: /Line 2 is not JSON/,
  },
  {
    given: 'an unknown member',
    signature: ONE,
    format: 'json',
    body: '{"data":[1]}',
    message: /has the members data; send \{"instances"/,
  },
  {
    given: 'instances that are no array',
    signature: ONE,
    format: 'json',
    body: '{"instances":1}',
    message: /"instances" is a JSON number/,
  },
  {
    given: 'a scalar',
    signature: ONE,
    format: 'json',
    body: '5',
    message: /The body is a JSON number/,
  },
  {
    given: 'bytes that are not text',
    signature: ONE,
    format: 'csv',
    body: Buffer.from([0xff, 0xfe]),
    message: /not UTF-8/,
  },
  {
    given: 'an unknown name',
    signature: MIXED,
    format: 'json',
    body: '[{"age":1,"sex":"a","pair":[1,2],"fare":1}]',
    message: /row 1 names fare, not an input/,
  },
  {
    given: 'a missing name',
    signature: MIXED,
    format: 'json',
    body: '{"inputs":{"age":[1],"pair":[[1,2]]}}',
    message: /"inputs" lacks sex/,
  },
  {
    given: 'a row unlike the first',
    signature: MIXED,
    format: 'json',
    body: '[{"age":1,"sex":"a","pair":[1,2]},[1]]',
    message: /row 2 is not an object/,
  },
  {
    given: 'too few columns',
    signature: MIXED,
    format: 'csv',
    body: '22,male,1',
    message: /rows have 3 values, and the inputs take 4/,
  },
] as const) {
  test(`refuses ${given}`, () => {
    assert.throws(() => bind(signature, format, body), { name: 'Rejection', status: 400, message })
  })
}
