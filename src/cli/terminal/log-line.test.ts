import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatLogLine } from './log-line.ts'

test("a built-in container's own line is one for people", () => {
  const line = JSON.stringify({
    level: 'info',
    time: 1_795_439_897_104,
    room: 'modelserver',
    msg: 'model loaded',
    pid: 7,
    model: 'digits',
    versions: '1, 2',
    err: { message: 'no' },
  })
  assert.equal(
    formatLogLine(line),
    '2026-11-23T13:18:17.104Z info model loaded model=digits versions="1, 2" err={"message":"no"}',
  )
})

const kept = [
  'what a model prints',
  '{"msg":"of a model"}',
  '{"room":"modelserver","msg":"',
  '17',
  '',
]
for (const line of kept) {
  test(`as it is: ${JSON.stringify(line)}`, () => assert.equal(formatLogLine(line), line))
}
