import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { HEAD_BYTES_MAX, readHead } from './http-head.ts'

const HOST = 'Host: h:1\r\n'
const LENGTH = 'Content-Length: 5\r\n'
const LINE = 'POST /endpoints/e/invocations HTTP/1.1\r\n'

function read(text: string, offset = 0) {
  return readHead(Buffer.from(text, 'latin1'), offset)
}

test('a regular head is read to its end', () => {
  const head = `${LINE}${HOST}X-Empty:\r\nx-SPACED:  a  b  \r\nCONTENT-length: 12\r\nConnection: Keep-Alive\r\n\r\n`
  assert.deepEqual(read(`${head}body`), {
    kind: 'head',
    method: 'POST',
    target: '/endpoints/e/invocations',
    rawHeaders: 'Host|h:1|X-Empty||x-SPACED|a  b|CONTENT-length|12|Connection|Keep-Alive'.split(
      '|',
    ),
    contentLength: 12,
    headEnd: head.length,
  })
})

test('every beginning of a regular head is incomplete, at any offset', () => {
  const head = `${LINE}${HOST}Accept: */*\r\n${LENGTH}\r\n`
  for (let end = 0; end < head.length; end++) {
    assert.equal(read(head.slice(0, end)).kind, 'incomplete', JSON.stringify(head.slice(0, end)))
  }
  const reading = read(`junk${head}rest`, 4)
  assert.equal(reading.kind === 'head' && reading.headEnd, 4 + head.length)
})

const handedOver: readonly (readonly [given: string, text: string])[] = [
  ['another method', `GET /endpoints/e/invocations HTTP/1.1\r\n${HOST}\r\n`],
  ['another path', `POST / HTTP/1.1\r\n${HOST}${LENGTH}\r\n`],
  ['an absolute target', `POST http://h/endpoints/e/invocations HTTP/1.1\r\n${HOST}${LENGTH}\r\n`],
  ['HTTP/1.0', `POST /endpoints/e/invocations HTTP/1.0\r\n${HOST}${LENGTH}\r\n`],
  ['a space in the target', `POST /endpoints/e f/invocations HTTP/1.1\r\n${HOST}${LENGTH}\r\n`],
  ['a fragment', `POST /endpoints/e#f HTTP/1.1\r\n${HOST}${LENGTH}\r\n`],
  ['a blank line first', `\r\n${LINE}${HOST}${LENGTH}\r\n`],
  ['a bare line feed after the request line', `${LINE.replace('\r', '')}${HOST}${LENGTH}\r\n`],
  ['a bare line feed after a header', `${LINE}${HOST}A: 1\n${LENGTH}\r\n`],
  ['a bare carriage return in a value', `${LINE}${HOST}A: 1\rB: 2\r\n${LENGTH}\r\n`],
  ['a folded line', `${LINE}${HOST}A: 1\r\n 2\r\n${LENGTH}\r\n`],
  ['a tab in a value', `${LINE}${HOST}A: 1\t2\r\n${LENGTH}\r\n`],
  ['a NUL in a value', `${LINE}${HOST}A: \0\r\n${LENGTH}\r\n`],
  ['a byte above ASCII', `${LINE}${HOST}A: é\r\n${LENGTH}\r\n`],
  ['a space before the colon', `${LINE}${HOST}A : 1\r\n${LENGTH}\r\n`],
  ['an empty name', `${LINE}${HOST}: 1\r\n${LENGTH}\r\n`],
  ['a line without a colon', `${LINE}${HOST}A\r\n${LENGTH}\r\n`],
  ['no host', `${LINE}${LENGTH}\r\n`],
  ['an empty host', `${LINE}Host:\r\n${LENGTH}\r\n`],
  ['two hosts', `${LINE}${HOST}${HOST}${LENGTH}\r\n`],
  ['no length', `${LINE}${HOST}\r\n`],
  ['two equal lengths', `${LINE}${HOST}${LENGTH}${LENGTH}\r\n`],
  ['two lengths', `${LINE}${HOST}${LENGTH}content-length: 6\r\n\r\n`],
  ['chunks', `${LINE}${HOST}Transfer-Encoding: chunked\r\n\r\n`],
  ['a length and chunks', `${LINE}${HOST}${LENGTH}transfer-ENCODING: chunked\r\n\r\n`],
  ['an expectation', `${LINE}${HOST}${LENGTH}Expect: 100-continue\r\n\r\n`],
  ['an upgrade', `${LINE}${HOST}${LENGTH}Upgrade: h2c\r\n\r\n`],
  ['a connection to be closed', `${LINE}${HOST}${LENGTH}Connection: close\r\n\r\n`],
  ['two signatures', `${LINE}${HOST}${LENGTH}Authorization: a\r\nauthorization: b\r\n\r\n`],
  ['101 headers', `${LINE}${HOST}${LENGTH}${'A: 1\r\n'.repeat(99)}\r\n`],
  ['an endless head', `${LINE}${HOST}A: ${'x'.repeat(HEAD_BYTES_MAX)}`],
]
for (const value of [
  '+5',
  '-5',
  '05',
  '0x5',
  '5.0',
  '5e0',
  '5 5',
  '5,5',
  '',
  '5;',
  '99999999999',
]) {
  test(`a length of "${value}" is handed over`, () => {
    assert.equal(read(`${LINE}${HOST}Content-Length: ${value}\r\n\r\n`).kind, 'hand-over')
  })
}
for (const [given, text] of handedOver) {
  test(`${given} is handed over`, () => assert.equal(read(text).kind, 'hand-over'))
}

test('100 headers and 16 KiB are read', () => {
  const many = `${LINE}${HOST}${LENGTH}${'A: 1\r\n'.repeat(98)}\r\n`
  assert.equal(read(many).kind, 'head')
  const start = `${LINE}${HOST}${LENGTH}A: `
  const long = `${start}${'x'.repeat(HEAD_BYTES_MAX - start.length - 4)}\r\n\r\n`
  assert.equal(long.length, HEAD_BYTES_MAX)
  assert.equal(read(long).kind, 'head')
  assert.equal(read(long.replace('A: ', 'A: x')).kind, 'hand-over')
})

test('any bytes at all are read without an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(40), (bytes, cut) => {
      const text = `${LINE}${HOST}${LENGTH}`.slice(0, cut)
      readHead(Buffer.concat([Buffer.from(text), bytes]), 0)
    }),
  )
})
