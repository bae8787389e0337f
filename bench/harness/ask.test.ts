import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyOf } from './ask.ts'

const bodyOfText = (text: string) => bodyOf({ status: 200, bytes: Buffer.from(text) })

test('a body is what follows the head', () => {
  assert.equal(bodyOfText('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'), '{}')
})

test('chunks are joined', () => {
  const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
  assert.equal(bodyOfText(`${head}3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n`), '{"a":1}')
})
