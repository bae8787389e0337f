import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ManualClock } from '../../platform/manual-clock.ts'
import { ReplyHeadEncoder } from './reply-head.ts'

test('a head is written as HTTP/1.1 has it', () => {
  const heads = new ReplyHeadEncoder(new ManualClock(1_700_000_000_999), 65_000)
  const head = heads.encode(413, { 'X-A': 'b' }, { contentLength: 3, keepsAlive: true })
  assert.deepEqual(head.split('\r\n'), [
    'HTTP/1.1 413 Payload Too Large',
    'X-A: b',
    'Content-Length: 3',
    'Date: Tue, 14 Nov 2023 22:13:20 GMT',
    'Connection: keep-alive',
    'Keep-Alive: timeout=65',
    '',
    '',
  ])
})

test('a body of unknown length is chunked, and the last reply of a connection says so', () => {
  const heads = new ReplyHeadEncoder(new ManualClock(0), 1_000)
  const head = heads.encode(200, {}, { contentLength: undefined, keepsAlive: false })
  assert.match(head, /\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n$/)
})

test('the date follows the clock from second to second', async () => {
  const clock = new ManualClock(0)
  const heads = new ReplyHeadEncoder(clock, 1_000)
  const dateOf = () => /Date: (.*)\r/.exec(heads.encode(200, {}, whole))?.[1]
  const whole = { contentLength: 0, keepsAlive: true }
  assert.equal(dateOf(), 'Thu, 01 Jan 1970 00:00:00 GMT')
  await clock.advance(999)
  assert.equal(dateOf(), 'Thu, 01 Jan 1970 00:00:00 GMT')
  await clock.advance(1)
  assert.equal(dateOf(), 'Thu, 01 Jan 1970 00:00:01 GMT')
})

test('a value that would begin another header is not sent', () => {
  const heads = new ReplyHeadEncoder(new ManualClock(0), 1_000)
  for (const value of ['a\r\nSet-Cookie: b', 'a\n', '\0', '\u0100']) {
    assert.throws(() => heads.encode(200, { 'X-A': value }, { contentLength: 0, keepsAlive: true }))
  }
})
