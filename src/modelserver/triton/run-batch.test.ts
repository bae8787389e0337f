import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { ExecutionTimes, InferenceRequest, ModelInstance } from './backend.ts'
import type { Enqueued } from './enqueued.ts'
import { createSeats } from './rate-limiter.ts'
import { runBatch } from './run-batch.ts'
import { ServingError } from './serving-error.ts'
import { Statistics } from './statistics.ts'

const TIMES: ExecutionTimes = {
  computeStartNs: 1,
  inputEndNs: 2,
  outputStartNs: 3,
  computeEndNs: 4,
}

/** A decoupled model: it has run before it answers. */
class Decoupled implements ModelInstance {
  requests: readonly InferenceRequest[] = []

  execute(requests: readonly InferenceRequest[]): Promise<ExecutionTimes> {
    this.requests = requests
    return Promise.resolve(TIMES)
  }

  async close(): Promise<void> {}
}

async function run(count: number) {
  const instance = new Decoupled()
  const statistics = new Statistics(() => 0)
  const [seat] = createSeats([instance], [{ count: 1, limits: { needs: [], priority: 0 } }])
  assert.ok(seat)
  const executed: number[] = []
  const entries = Array.from({ length: count }, (_, index) => {
    statistics.recordPending(1)
    const request: Enqueued = {
      id: `${index}`,
      inputs: [],
      requestedOutputs: [],
      parameters: new Map(),
      batchSize: 1,
      correlationId: 0n,
      isSequenceStart: false,
      isSequenceEnd: false,
      priority: 0,
      timeoutMs: 0,
      signal: new AbortController().signal,
      requestStartNs: 0,
      trace: undefined,
      onExecuted: () => executed.push(index),
      respond: () => undefined,
      fail: () => undefined,
    }
    return { request, queueStartNs: 0 }
  })
  await runBatch(seat, entries, statistics)
  return { requests: instance.requests, statistics, executed }
}

test('a request of a decoupled model counts when its last answer is out', async () => {
  const { requests, statistics, executed } = await run(2)
  const counts = () => ({
    executions: statistics.executionCount,
    success: statistics.part('success').count,
    inferences: statistics.inferenceCount,
  })
  assert.deepEqual(counts(), { executions: 1, success: 0, inferences: 0 })
  requests[1]?.respond({ outputs: [] }, false)
  assert.deepEqual(counts(), { executions: 1, success: 0, inferences: 0 })
  requests[1]?.respond({ outputs: [] }, true)
  assert.deepEqual(counts(), { executions: 1, success: 1, inferences: 1 })
  requests[0]?.respond({ outputs: [] }, true)
  assert.deepEqual(counts(), { executions: 1, success: 2, inferences: 2 })
  assert.deepEqual(executed, [1, 0])
})

test('a request of a decoupled model that fails after it has run is a failure, and nothing else', async () => {
  const { requests, statistics, executed } = await run(1)
  requests[0]?.respond({ outputs: [] }, false)
  requests[0]?.fail(new ServingError('INTERNAL', 'later'))
  assert.equal(statistics.part('fail').count, 1)
  assert.equal(statistics.part('success').count, 0)
  assert.equal(statistics.failureCount('BACKEND'), 1)
  assert.deepEqual(executed, [])
})
