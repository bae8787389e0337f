import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ResponseReader } from './response-reader.ts'

const LENGTH = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
const CHUNKED =
  'HTTP/1.1 424 X\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n'

for (const [given, text, status] of [
  ['content-length', LENGTH, 200],
  ['chunked', CHUNKED, 424],
] as const) {
  test(`a ${given} response is complete at its last byte wherever it is cut`, () => {
    for (let cut = 1; cut < text.length; cut++) {
      const reader = new ResponseReader()
      assert.equal(reader.read(Buffer.from(text.slice(0, cut))), undefined, `cut at ${cut}`)
      const response = reader.read(Buffer.from(text.slice(cut)))
      assert.equal(response?.status, status)
      assert.equal(response?.bytes.toString(), text)
    }
  })
}

test('the next response starts where the last one ended', () => {
  const reader = new ResponseReader()
  assert.equal(reader.read(Buffer.from(LENGTH + CHUNKED.slice(0, 9)))?.status, 200)
  assert.equal(reader.read(Buffer.from(CHUNKED.slice(9)))?.status, 424)
})
