import assert from 'node:assert/strict'
import { test } from 'node:test'

import { describeExit } from './failure.ts'

const ROUTINE = '{"level":"info","time":1,"msg":"started"}'
const PINO_ROUTINE = '{"level":30,"time":1,"msg":"started"}'
const CAUSE = 'model.onnx is not a valid ONNX file: it is empty.'

const CASES = [
  { given: 'a cause after routine lines', lines: [ROUTINE, PINO_ROUTINE, CAUSE], shown: [CAUSE] },
  { given: 'only routine lines', lines: [ROUTINE], shown: [ROUTINE] },
  {
    given: 'a structured error',
    lines: [ROUTINE, '{"level":"error","msg":"no"}'],
    shown: ['{"level":"error","msg":"no"}'],
  },
  { given: 'JSON that is no log line', lines: ['{"a":1}'], shown: ['{"a":1}'] },
] as const

for (const { given, lines, shown } of CASES) {
  test(`an exit is explained by what matters: ${given}`, () => {
    const expected = `exited with code 22; last log lines:\n${shown.join('\n')}`
    assert.equal(describeExit({ code: 22, signal: undefined }, lines), expected)
  })
}

test('an exit without a log says so', () => {
  const exit = { code: undefined, signal: 'SIGKILL' }
  assert.equal(describeExit(exit, []), 'was killed by SIGKILL; it logged nothing')
})
