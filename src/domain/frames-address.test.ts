import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeFramesHeader, frameSocketSuffix, parseFramesHeader } from './frames-address.ts'

test('what an instance announces is read as the sockets beside its own', () => {
  const header = encodeFramesHeader(1, [0, 1].map(frameSocketSuffix))
  assert.equal(header, '1 w0,w1')
  assert.deepEqual(parseFramesHeader(header, '/run/i/a.sock'), {
    version: 1,
    socketPaths: ['/run/i/a.w0', '/run/i/a.w1'],
  })
})

for (const header of [
  undefined,
  '',
  '1',
  '1 ',
  'x w0',
  '1 w0,',
  '1 ../../control',
  '1 w0 w1',
  '-1 w0',
]) {
  test(`no frames: ${header}`, () => {
    assert.equal(parseFramesHeader(header, '/run/i/a.sock'), undefined)
  })
}

test('more sockets than a model server has workers are not believed', () => {
  const header = encodeFramesHeader(
    1,
    Array.from({ length: 65 }, (_, n) => frameSocketSuffix(n)),
  )
  assert.equal(parseFramesHeader(header, '/a.sock'), undefined)
})
