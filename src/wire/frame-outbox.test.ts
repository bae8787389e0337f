import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { FrameOutbox } from './frame-outbox.ts'
import { EncodedHeaders, FrameError } from './frames.ts'
import type { FrameHeaders } from './frames.ts'

const HEADERS: FrameHeaders = { 'content-type': 'application/json', 'x-other': 'a' }

function reply(headers: FrameHeaders | EncodedHeaders, part: Uint8Array | string): Buffer {
  const outbox = new FrameOutbox()
  outbox.reply(7, { statusCode: 200, headers }, part, true)
  return Buffer.concat(outbox.take())
}

test('headers that were encoded before are the same bytes', () => {
  const part = Buffer.from('{}')
  assert.deepEqual(reply(new EncodedHeaders(HEADERS), part), reply(HEADERS, part))
  assert.throws(() => new EncodedHeaders({ a: 'x'.repeat(70_000) }), FrameError)
})

for (const length of [0, 1, 16 * 1024, 16 * 1024 + 1, 200_000]) {
  test(`text of ${length} characters is the same bytes as a buffer of it`, () => {
    const text = 'ab"'.repeat(length).slice(0, length)
    assert.deepEqual(reply(HEADERS, text), reply(HEADERS, Buffer.from(text)))
  })
}

test('memory that was sent serves again', () => {
  const outbox = new FrameOutbox()
  outbox.replyData(1, Buffer.from('first'), true)
  const [first] = outbox.take()
  outbox.reuse()
  outbox.replyData(1, Buffer.from('other'), true)
  const [second] = outbox.take()
  assert.ok(first !== undefined && second !== undefined)
  assert.equal(second.byteOffset, first.byteOffset)
  assert.equal(second.toString('latin1', 10), 'other')
})

test('memory with something that nobody has taken yet does not', () => {
  const outbox = new FrameOutbox()
  outbox.replyData(1, Buffer.from('first'), true)
  outbox.take()
  outbox.replyData(1, Buffer.from('second'), true)
  outbox.reuse()
  outbox.replyData(1, Buffer.from('third'), true)
  assert.equal(
    Buffer.concat(outbox.take())
      .toString('latin1')
      .match(/second|third/g)?.length,
    2,
  )
})
