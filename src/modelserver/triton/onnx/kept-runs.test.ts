import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InferenceRequest } from '../backend.ts'
import { KeptRuns } from './kept-runs.ts'

const ROW_BYTES = 8
const tensorOf = (rows: number) => {
  return {
    name: 'y',
    datatype: 'FP32',
    shape: [rows, 2],
    data: new Uint8Array(rows * ROW_BYTES),
  } as const
}

function keepOne(rows: number) {
  const kept = new KeptRuns({ modelPath: '', choices: {}, files: '' })
  const input = { ...tensorOf(rows), name: 'x' }
  const run = { inputs: [input], outputs: [tensorOf(rows)], inputNs: 1, inferNs: 2 }
  kept.keep(run)
  const request = (
    from: number,
    to: number,
    { shape = [to - from, 2], requestedOutputs = ['y'], more = [] }: Partial<Asked> = {},
  ): InferenceRequest => ({
    id: '',
    inputs: [
      { ...input, shape, data: input.data.subarray(from * ROW_BYTES, to * ROW_BYTES) },
      ...more,
    ],
    requestedOutputs,
    parameters: new Map(),
    batchSize: to - from,
    correlationId: 0n,
    isSequenceStart: false,
    isSequenceEnd: false,
    priority: 0,
    timeoutMs: 0,
    signal: AbortSignal.any([]),
    respond: () => undefined,
    fail: () => undefined,
  })
  return { kept, run, request }
}

interface Asked {
  readonly shape: readonly number[]
  readonly requestedOutputs: readonly string[]
  readonly more: InferenceRequest['inputs']
}

test('the rows of a run, all and in their order, find it', () => {
  const { kept, run, request } = keepOne(4)
  assert.equal(kept.find([request(0, 4)]), run)
  assert.equal(kept.find([request(0, 1), request(1, 3), request(3, 4)]), run)
  assert.equal(kept.hasKept(request(1, 2)), true)
})

test('other batches do not', () => {
  const { kept, request } = keepOne(4)
  const other = keepOne(4)
  assert.equal(kept.find([request(0, 3)]), undefined)
  assert.equal(kept.find([request(1, 4)]), undefined)
  assert.equal(kept.find([request(1, 4), request(0, 1)]), undefined)
  assert.equal(kept.find([request(0, 4), other.request(0, 1)]), undefined)
  assert.equal(kept.find([other.request(0, 4)]), undefined)
  assert.equal(kept.hasKept(other.request(0, 4)), false)
  assert.equal(kept.find([request(0, 4, { shape: [8, 1] })]), undefined)
  assert.equal(kept.find([request(0, 2, { shape: [4, 1] }), request(2, 4)]), undefined)
  assert.equal(kept.find([request(0, 4, { requestedOutputs: ['z'] })]), undefined)
  assert.equal(kept.find([request(0, 4, { more: [{ ...tensorOf(4), name: 'w' }] })]), undefined)
  assert.equal(kept.find([]), undefined)
})

test('whoever has a copy of a model is told once that it closes', () => {
  const { kept } = keepOne(1)
  const told: string[] = []
  kept.onClose(() => told.push('a'))
  kept.onClose(() => told.push('b'))()
  kept.close()
  kept.close()
  assert.deepEqual(told, ['a'])
})
