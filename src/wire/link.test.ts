import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  LineReader,
  encodeLinkMessage,
  parseControlMessage,
  parseGatewayMessage,
  parseRouteSnapshot,
} from './link.ts'

test('property: messages arrive the same however the stream is cut', () => {
  const anyMessage = fc
    .tuple(fc.nat(), fc.string({ unit: 'grapheme' }))
    .map(([version, endpointName]) => ({ kind: 'remove', version, endpointName }) as const)
  fc.assert(
    fc.property(fc.array(anyMessage), fc.array(fc.nat(200)), (messages, cuts) => {
      const stream = messages.map(encodeLinkMessage).join('')
      const borders = [0, ...cuts.toSorted((a, b) => a - b), stream.length]
      const reader = new LineReader(10_000)
      const lines = borders.flatMap((border, index) =>
        reader.read(stream.slice(border, Math.max(border, borders[index + 1] ?? border))),
      )
      assert.deepEqual(lines.map(parseControlMessage), messages)
    }),
  )
})

test('a line without end is refused before it fills memory', () => {
  const reader = new LineReader(10)
  assert.deepEqual(reader.read('12345'), [])
  assert.throws(() => reader.read('678901'), /exceeds 10 characters/)
})

test('kinds of a later version are ignored, broken messages are errors', () => {
  assert.equal(parseControlMessage('{"kind":"later"}'), undefined)
  assert.equal(parseGatewayMessage('{"kind":"later"}'), undefined)
  for (const line of ['', '1', '{"kind":"put","version":1}', '{"kind":"snapshot","routes":[]}']) {
    assert.throws(() => parseControlMessage(line))
  }
  assert.throws(() => parseGatewayMessage('{"kind":"report"}'))
})

test('a snapshot file that is not whole is none', () => {
  assert.equal(parseRouteSnapshot('{"version":1,"rou'), undefined)
  assert.equal(parseRouteSnapshot('{"version":1,"routes":[{}]}'), undefined)
  assert.deepEqual(parseRouteSnapshot('{"version":1,"routes":[]}'), { version: 1, routes: [] })
})
