import assert from 'node:assert/strict'
import { test } from 'node:test'
import { replayRecorded } from '../support/replay-recorded.ts'
import { sortModels, writeStandIns } from '../support/triton-stand-ins.ts'
import { DIFFERENT } from './triton-recorded-differences.ts'

// With ONNX models in place of Python ones that do the same; `triton-python-recorded.test.ts` asks the Python ones, all of them.
for (const [file, traceFlags, notAsked] of [
  ['recorded.json', [], 131],
  ['protocol.json', ['level=OFF', 'triton,file=<dir>/trace.json'], 25],
] as const) {
  test(`answers as tritonserver did: ${file}`, async () => {
    const { waiting: without } = sortModels()
    const replay = { file, traceFlags, without, different: DIFFERENT }
    assert.equal(await replayRecorded({ ...replay, writeModels: writeStandIns }), notAsked)
  })
}
