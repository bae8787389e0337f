import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseReplyType, parseContentType } from './media-type.ts'

for (const [given, expected] of [
  ['application/json', 'json'],
  ['Application/JSON; charset=utf-8', 'json'],
  ['text/csv;header=absent', 'csv'],
  ['application/x-jsonlines', 'jsonlines'],
  ['application/jsonl', 'jsonlines'],
  ['application/x-npy', 'npy'],
  ['tensor/pt', 'npy'],
  ['text/x-libsvm', 'libsvm'],
  ['application/x-npz', 'npz'],
  ['application/x-recordio-protobuf', 'recordio'],
] as const) {
  test(`Content-Type ${given} is ${expected}`, () =>
    assert.equal(parseContentType(given), expected))
}

for (const given of [undefined, '', 'application/octet-stream', 'text/plain', 'constructor']) {
  test(`Content-Type ${given} is refused with the supported ones`, () => {
    assert.throws(() => parseContentType(given), {
      status: 415,
      message: /application\/json, text\/csv/,
    })
  })
}

for (const [given, expected] of [
  [undefined, 'application/json'],
  ['*/*', 'application/json'],
  ['text/csv, application/json', 'text/csv'],
  ['image/png, application/x-npy', 'application/x-npy'],
  ['text/csv;q=0.2, application/jsonlines;q=0.9', 'application/jsonlines'],
  ['text/csv;q=0, */*;q=0.1', 'application/json'],
  ['application/x-jsonlines', 'application/x-jsonlines'],
  ['text/*', 'text/csv'],
  ['APPLICATION/JSON; verbose=true', 'application/json'],
  ['tensor/pt', 'tensor/pt'],
  ['application/x-npz', 'application/x-npz'],
  ['text/libsvm, application/x-recordio-protobuf', 'application/x-recordio-protobuf'],
] as const) {
  test(`Accept ${given} gives ${expected}`, () =>
    assert.equal(chooseReplyType(given).mediaType, expected))
}

for (const given of ['image/png', 'application/json;q=0', 'text/libsvm, text/x-libsvm']) {
  test(`Accept ${given} is refused`, () =>
    assert.throws(() => chooseReplyType(given), { status: 406 }))
}

test('top-k is part of the chosen type', () => {
  assert.equal(chooseReplyType('image/png;top-k=1, text/csv; top-k=3').topCount, 3)
  assert.equal(chooseReplyType('text/csv').topCount, undefined)
  for (const given of ['0', '', 'x', '-1', '1.5']) {
    assert.throws(() => chooseReplyType(`text/csv;top-k=${given}`), {
      status: 400,
      message: /top-k/,
    })
  }
})
