import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'

import fc from 'fast-check'

import { byteSizeOf, DATATYPES, elementCount, joinBytes } from '../../../wire/oip/tensor.ts'
import type { Datatype, Tensor } from '../../../wire/oip/tensor.ts'
import { read } from '../json-reader.ts'
import { SharedRegions } from '../shared-memory/shared-regions.ts'
import { readInferRequest } from './infer-message.ts'
import { loadProtocol } from './load-protocol.ts'

const { service } = loadProtocol('inference.proto', 'inference.GRPCInferenceService')
const { ModelInfer } = service
if (ModelInfer === undefined) throw new Error('inference.proto has no ModelInfer.')
const { requestDeserialize, requestSerialize } = ModelInfer

const send = (request: object): readonly Tensor[] =>
  readInferRequest(
    read.object(requestDeserialize(requestSerialize(request))),
    new SharedRegions(false),
  ).inputs

const integers = (bits: number, isSigned: boolean): fc.Arbitrary<bigint> =>
  isSigned
    ? fc.bigInt(-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n)
    : fc.bigInt(0n, 2n ** BigInt(bits) - 1n)

/** How elements of a datatype are sent, and how they are to arrive. */
interface TypedForm {
  readonly field: string
  readonly element: fc.Arbitrary<unknown>
  /** The value of an element at an offset. */
  readonly readAt: (view: DataView, at: number) => unknown
}

const small = (bits: 8 | 16 | 32, isSigned: boolean): TypedForm => ({
  field: isSigned ? 'int_contents' : 'uint_contents',
  element: integers(bits, isSigned).map(Number),
  readAt: (view, at) => view[`get${isSigned ? 'Int' : 'Uint'}${bits}`](at, true),
})

const FORMS: Readonly<Partial<Record<Datatype, TypedForm>>> = {
  BOOL: {
    field: 'bool_contents',
    element: fc.boolean(),
    readAt: (view, at) => view.getUint8(at) === 1,
  },
  INT8: small(8, true),
  INT16: small(16, true),
  INT32: small(32, true),
  UINT8: small(8, false),
  UINT16: small(16, false),
  UINT32: small(32, false),
  INT64: {
    field: 'int64_contents',
    element: integers(64, true).map(String),
    readAt: (view, at) => String(view.getBigInt64(at, true)),
  },
  UINT64: {
    field: 'uint64_contents',
    element: integers(64, false).map(String),
    readAt: (view, at) => String(view.getBigUint64(at, true)),
  },
  FP32: {
    field: 'fp32_contents',
    element: fc.float(),
    readAt: (view, at) => view.getFloat32(at, true),
  },
  FP64: {
    field: 'fp64_contents',
    element: fc.double(),
    readAt: (view, at) => view.getFloat64(at, true),
  },
}

for (const datatype of DATATYPES) {
  const form = FORMS[datatype]
  if (form === undefined) continue
  test(`property: ${datatype} arrives as it was sent, typed`, () => {
    const size = byteSizeOf(datatype) ?? 0
    fc.assert(
      fc.property(fc.array(form.element, { minLength: 1, maxLength: 9 }), (values) => {
        const contents = { [form.field]: values }
        const shape = [values.length]
        const [input] = send({ inputs: [{ name: 'x', datatype, shape, contents }] })
        assert.ok(input)
        assert.equal(input.data.length, size * values.length)
        const view = new DataView(input.data.buffer, input.data.byteOffset, input.data.length)
        const arrived = values.map((_, index) => form.readAt(view, index * size))
        assert.deepEqual(arrived, values)
      }),
    )
  })
}

test('property: BYTES arrive as they were sent, typed, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array(), { minLength: 1, maxLength: 9 }), (values) => {
      const contents = { bytes_contents: values.map((value) => Buffer.from(value)) }
      const [input] = send({
        inputs: [{ name: 'x', datatype: 'BYTES', shape: [values.length], contents }],
      })
      assert.deepEqual(Buffer.from(input?.data ?? []), Buffer.from(joinBytes(values)))
    }),
  )
})

test('property: every datatype arrives as it was sent, raw', () => {
  const tensor = fc
    .record({
      name: fc.string(),
      datatype: fc.constantFrom(...DATATYPES),
      shape: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }),
    })
    .chain((head) => {
      const length = elementCount(head.shape) * (byteSizeOf(head.datatype) ?? 5)
      return fc
        .uint8Array({ minLength: length, maxLength: length })
        .map((data) => ({ ...head, data: Buffer.from(data) }))
    })
  fc.assert(
    fc.property(fc.array(tensor, { maxLength: 4 }), (tensors) => {
      const inputs = send({
        inputs: tensors.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
        raw_input_contents: tensors.map(({ data }) => data),
      })
      const plain = inputs.map(({ data, ...head }) => ({ ...head, data: Buffer.from(data) }))
      assert.deepEqual(plain, tensors)
    }),
  )
})

type Refusal = readonly [given: string, request: object, message: string]
const refusals: Refusal[] = [
  [
    'FP16, which has no field of its own,',
    { inputs: [{ name: 'x', datatype: 'FP16', shape: [1], contents: { uint_contents: [1] } }] },
    "unexpected explicit tensor data for input tensor 'x' for model '' of type 'FP16'",
  ],
  [
    'BF16, which has no field of its own,',
    { inputs: [{ name: 'x', datatype: 'BF16', shape: [1], contents: { fp32_contents: [1] } }] },
    "unexpected explicit tensor data for input tensor 'x' for model '' of type 'BF16'",
  ],
  [
    'elements in the field of another datatype',
    { inputs: [{ name: 'x', datatype: 'INT64', shape: [1], contents: { int_contents: [1] } }] },
    "unexpected explicit tensor data for input tensor 'x' for model '' of type 'INT64'",
  ],
  [
    'an input without data',
    { inputs: [{ name: 'x', datatype: 'FP32', shape: [1] }] },
    "unable to find data for input tensor 'x' for model '' in request.",
  ],
  [
    'less raw contents than inputs',
    {
      inputs: ['x', 'y'].map((name) => ({ name, datatype: 'FP32', shape: [1] })),
      raw_input_contents: [Buffer.alloc(4)],
    },
    "unable to find data for input tensor 'y' for model '' in request.",
  ],
  [
    'raw and typed contents',
    {
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1], contents: { fp32_contents: [1] } }],
      raw_input_contents: [Buffer.alloc(4)],
    },
    "contents field must not be specified when using raw_input_contents for 'x' for model ''",
  ],
  [
    'an output that is named twice',
    { outputs: [{ name: 'a' }, { name: 'b' }, { name: 'a' }] },
    "output 'a' already exists in request",
  ],
]
refusals.push(
  ...(
    [
      ['sequence_id', { bool_param: true }, 'int64_param or uint64_param or string_param'],
      ['sequence_id', { double_param: 1.5 }, 'int64_param or uint64_param or string_param'],
      ['sequence_id', {}, 'int64_param or uint64_param or string_param'],
      ['sequence_start', { int64_param: '1' }, 'bool_param'],
      ['sequence_end', { string_param: 'true' }, 'bool_param'],
      ['priority', { string_param: '1' }, 'int64_param or uint64_param'],
      ['timeout', { uint64_param: '1' }, 'int64_param'],
      ['triton_enable_empty_final_response', { int64_param: '1' }, 'bool_param'],
    ] as const
  ).map(([name, value, expected]): Refusal => [
    `${name} as ${JSON.stringify(value)}`,
    { parameters: { [name]: value } },
    `invalid value type for '${name}' parameter, expected ${expected}.`,
  ]),
  [
    'a priority below 0',
    { parameters: { priority: { int64_param: '-1' } } },
    "invalid value for 'priority', expected value >= 0.",
  ],
)
for (const [given, request, message] of refusals) {
  test(`refuses ${given} in Triton's words`, () => {
    assert.throws(() => send(request), { code: 'INVALID_ARG', message })
  })
}

test('a sequence id is unsigned, however it was sent', () => {
  const idOf = (parameter: object) =>
    readInferRequest({ parameters: { sequence_id: parameter } }, new SharedRegions(false))
      .correlationId
  const signed = { parameter_choice: 'int64_param', int64_param: '-1' }
  const unsigned = { parameter_choice: 'uint64_param', uint64_param: '18446744073709551615' }
  assert.equal(idOf(signed), 2n ** 64n - 1n)
  assert.equal(idOf(unsigned), 2n ** 64n - 1n)
})
