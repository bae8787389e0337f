import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'

import fc from 'fast-check'

import { decideMessage, FIELDS_MAX, INFER_FORM } from './decide-message.ts'
import type { MessageVerdict } from './decide-message.ts'
import { CROWDED, loadProtocol, MALFORMED } from './load-protocol.ts'

const { service } = loadProtocol('inference.proto', 'inference.GRPCInferenceService')
const { ModelInfer } = service
if (ModelInfer === undefined) throw new Error('inference.proto has no ModelInfer.')
const { requestDeserialize, requestSerialize } = ModelInfer

const START_GROUP = 0x7b // field 15, wire type 3
const END_GROUP = 0x7c
const MEGABYTE = 2 ** 20

test('a message is crowded when its fields, or those of its inputs and outputs, are too many', () => {
  const repeat = (count: number, ...bytes: number[]): Buffer =>
    Buffer.alloc(count * bytes.length, Buffer.from(bytes))
  const wrap = (field: number, inner: Buffer): Buffer => {
    const length = Buffer.from([inner.length, inner.length >> 7, inner.length >> 14, 0])
    for (const index of [0, 1, 2]) length[index] = (length[index] ?? 0) | 0x80
    return Buffer.concat([Buffer.from([(field << 3) | 2]), length, inner])
  }
  const cases: readonly (readonly [string, Buffer, MessageVerdict])[] = [
    ['as many as may be', repeat(FIELDS_MAX, 0x32, 0), 'fine'],
    ['one more', repeat(FIELDS_MAX + 1, 0x32, 0), 'crowded'],
    ['empty raw contents', repeat(MEGABYTE, 0x3a, 0), 'crowded'],
    ['unknown numbers', repeat(MEGABYTE, 0x78, 0), 'crowded'],
    ['pairs of groups', repeat(MEGABYTE, START_GROUP, END_GROUP), 'crowded'],
    ['parameters of one input', wrap(5, repeat(FIELDS_MAX, 0x22, 0)), 'crowded'],
    ['dimensions of one input', wrap(5, wrap(3, repeat(FIELDS_MAX, 1))), 'crowded'],
    ['bytes of one raw content', wrap(7, repeat(MEGABYTE, 0x32)), 'fine'],
    ['contents of one input', wrap(5, wrap(5, repeat(FIELDS_MAX + 1, 0x42, 0))), 'fine'],
  ]
  for (const [name, bytes, verdict] of cases) {
    assert.equal(decideMessage(bytes, INFER_FORM), verdict, name)
  }
})

test('groups within groups are refused without being followed', () => {
  for (const depth of [102, MEGABYTE]) {
    const open = Buffer.alloc(depth, START_GROUP)
    assert.equal(requestDeserialize(open), MALFORMED, `${depth} groups without an end`)
    const whole = Buffer.concat([open, Buffer.alloc(depth, END_GROUP)])
    assert.equal(requestDeserialize(whole), MALFORMED, `${depth} groups`)
  }
  const shallow = Buffer.concat([Buffer.alloc(50, START_GROUP), Buffer.alloc(50, END_GROUP)])
  const name = Buffer.from([0x0a, 1, 0x61])
  const message = requestDeserialize(Buffer.concat([shallow, name]))
  assert.deepEqual(message, {
    model_name: 'a',
    inputs: [],
    outputs: [],
    raw_input_contents: [],
  })
})

test('any bytes are a message, malformed or crowded, and nothing is thrown', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const message = requestDeserialize(Buffer.from(bytes))
      assert.equal(typeof message, 'object')
      assert.notEqual(message, CROWDED)
    }),
    { numRuns: 2_000 },
  )
})

const HONEST = requestSerialize({
  model_name: 'm',
  id: 'some request',
  parameters: { a: { string_param: 'b' }, c: { int64_param: '-1' } },
  inputs: [
    { name: 'x', datatype: 'INT64', shape: [1, 2], contents: { int64_contents: ['1', '2'] } },
    { name: 'y', datatype: 'BYTES', shape: [1], parameters: { p: { double_param: 0.5 } } },
  ],
  outputs: [{ name: 'y', parameters: { classification: { int64_param: '3' } } }],
  raw_input_contents: [Buffer.alloc(16, 7)],
})

test('a message with some bytes changed, or cut off, is a message or malformed', () => {
  const changes = fc.array(fc.tuple(fc.nat(HONEST.length - 1), fc.nat(255)), { maxLength: 8 })
  fc.assert(
    fc.property(changes, fc.nat(HONEST.length), (changed, length) => {
      const bytes = Buffer.from(HONEST.subarray(0, length))
      for (const [at, byte] of changed) if (at < length) bytes[at] = byte
      assert.equal(typeof requestDeserialize(bytes), 'object')
    }),
    { numRuns: 2_000 },
  )
})

test('what is cut off within a field is malformed, wherever, and never read as something shorter', () => {
  const whole = new Set<number>([0])
  let at = 0
  while (at < HONEST.length) {
    at += 2 + (HONEST[at + 1] ?? 0)
    whole.add(at)
  }
  assert.equal(at, HONEST.length, 'the fields of this message have lengths of one byte')
  for (let length = 0; length < HONEST.length; length += 1) {
    const message = requestDeserialize(HONEST.subarray(0, length))
    assert.equal(message === MALFORMED, !whole.has(length), `${length} bytes`)
  }
})

test('a text that ends behind the message around it is malformed', () => {
  const input = (name: number[]): Buffer => Buffer.from([0x2a, name.length, ...name, 0x0a, 1, 0x62])
  assert.equal(requestDeserialize(input([0x0a, 2, 0x61])), MALFORMED)
  assert.notEqual(requestDeserialize(input([0x0a, 1, 0x61])), MALFORMED)
})
