import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'

import fc from 'fast-check'

import type { DynamicBatching } from '../../domain/dynamic-batch.ts'
import type { ExecutionTimes, InferenceRequest, ModelInstance } from './backend.ts'
import type { Enqueued } from './enqueued.ts'
import { createSeats, UNLIMITED } from './rate-limiter.ts'
import { Scheduler } from './scheduler.ts'
import { ServingError } from './serving-error.ts'
import { Statistics } from './statistics.ts'

const TIMES: ExecutionTimes = {
  computeStartNs: 0,
  inputEndNs: 0,
  outputStartNs: 0,
  computeEndNs: 0,
}
const ROWS_MAX = 8

/** Runs a batch when it is told to, and answers each request with the request's own bytes. */
class HeldInstance implements ModelInstance {
  #release: (() => void) | undefined
  readonly batches: (readonly InferenceRequest[])[] = []
  readonly #failing: ReadonlySet<string>

  constructor(failing: ReadonlySet<string>) {
    this.#failing = failing
  }

  get isBusy(): boolean {
    return this.#release !== undefined
  }

  async execute(requests: readonly InferenceRequest[]): Promise<ExecutionTimes> {
    assert.equal(this.#release, undefined, 'one batch at a time')
    this.batches.push(requests)
    await new Promise<void>((resolve) => (this.#release = resolve))
    this.#release = undefined
    for (const request of requests) {
      if (this.#failing.has(request.id)) request.fail(new ServingError('INTERNAL', 'told to fail'))
      else request.respond({ outputs: request.inputs }, true)
    }
    return TIMES
  }

  release(): void {
    this.#release?.()
  }

  async close(): Promise<void> {}
}

interface Spec {
  readonly rowCount: number
  readonly width: number
  readonly fate: 'served' | 'failing' | 'cancelled'
  /** Which instance ends its batch after this request came; none for neither. */
  readonly released: number
}

const specs: fc.Arbitrary<readonly Spec[]> = fc.array(
  fc.record({
    rowCount: fc.integer({ min: 1, max: 4 }),
    width: fc.integer({ min: 1, max: 2 }),
    fate: fc.constantFrom('served', 'served', 'served', 'failing', 'cancelled'),
    released: fc.integer({ min: 0, max: 2 }),
  }),
  { maxLength: 30 },
)

const batchingOf = (isOrderKept: boolean, preferredSizes: readonly number[]): DynamicBatching => ({
  preferredSizes,
  queueDelayMs: 0,
  isOrderKept,
  priorityLevelCount: 0,
  defaultPriority: 0,
  defaultPolicy: { timeoutAction: 'reject', defaultTimeoutMs: 0, canShorten: false, sizeMax: 0 },
  policyByPriority: new Map(),
})

interface Outcome {
  readonly id: string
  readonly bytes: readonly number[] | undefined
}

/** Sends the requests while batches run and end, and returns what was answered in the order of the answers. */
async function play(given: readonly Spec[], batching: DynamicBatching) {
  const failing = new Set(
    given.flatMap(({ fate }, index) => (fate === 'failing' ? [`${index}`] : [])),
  )
  const instances = [new HeldInstance(failing), new HeldInstance(failing)]
  const outcomes: Outcome[] = []
  const statistics = new Statistics(() => 0)
  const scheduler = new Scheduler({
    seats: createSeats(instances, [{ count: 2, limits: { needs: [], priority: 0 } }]),
    turns: UNLIMITED,
    followUpModel: undefined,
    batching,
    maxBatchSize: ROWS_MAX,
    raggedInputs: new Set(),
    statistics,
  })
  for (const [index, spec] of given.entries()) {
    const client = new AbortController()
    scheduler.enqueue(requestOf(index, spec, client.signal, outcomes))
    if (spec.fate === 'cancelled') client.abort()
    await setImmediate()
    instances[spec.released]?.release()
  }
  while (scheduler.outstandingCount > 0) {
    for (const instance of instances) instance.release()
    await setImmediate()
  }
  await scheduler.drain()
  return { outcomes, batches: instances.flatMap(({ batches }) => batches), statistics }
}

const bytesOf = (index: number, { rowCount, width }: Spec): Uint8Array =>
  new Uint8Array(rowCount * width).fill(index)

function requestOf(index: number, spec: Spec, signal: AbortSignal, outcomes: Outcome[]): Enqueued {
  const id = `${index}`
  const shape = [spec.rowCount, spec.width]
  return {
    id,
    inputs: [{ name: 'x', datatype: 'UINT8', shape, data: bytesOf(index, spec) }],
    requestedOutputs: ['x'],
    parameters: new Map(),
    batchSize: spec.rowCount,
    correlationId: 0n,
    isSequenceStart: false,
    isSequenceEnd: false,
    priority: 0,
    timeoutMs: 0,
    signal,
    requestStartNs: 0,
    trace: undefined,
    respond: ({ outputs }) => outcomes.push({ id, bytes: [...(outputs[0]?.data ?? [])] }),
    fail: () => outcomes.push({ id, bytes: undefined }),
  }
}

const preferred = fc.uniqueArray(fc.integer({ min: 1, max: ROWS_MAX }), {
  minLength: 1,
  maxLength: 3,
})

test('property: every request is answered once, with its own rows, whatever runs beside it', async () => {
  await fc.assert(
    fc.asyncProperty(specs, preferred, fc.boolean(), async (given, sizes, isOrderKept) => {
      const { outcomes, statistics } = await play(given, batchingOf(isOrderKept, sizes))
      const numbers = outcomes.map(({ id }) => Number(id))
      assert.deepEqual(
        numbers.toSorted((a, b) => a - b),
        [...given.keys()],
        'each once',
      )
      for (const { id, bytes } of outcomes) {
        const spec = given[Number(id)]
        assert.ok(spec)
        if (spec.fate === 'served') assert.deepEqual(bytes, [...bytesOf(Number(id), spec)])
        if (spec.fate === 'failing') assert.equal(bytes, undefined)
      }
      assert.equal(statistics.pendingCount, 0)
      const failedCount = outcomes.filter(({ bytes }) => bytes === undefined).length
      assert.equal(statistics.part('fail').count, failedCount)
      assert.equal(statistics.part('success').count, given.length - failedCount)
    }),
    { numRuns: 150 },
  )
})

test('property: batches fit the model and are of one shape, and take in the order of arrival', async () => {
  await fc.assert(
    fc.asyncProperty(specs, preferred, async (given, sizes) => {
      const { batches } = await play(given, batchingOf(false, sizes))
      for (const batch of batches) {
        assert.ok(batch.reduce((sum, { batchSize }) => sum + batchSize, 0) <= ROWS_MAX)
        assert.equal(new Set(batch.map(({ inputs }) => inputs[0]?.shape[1])).size, 1)
        const ids = batch.map(({ id }) => Number(id))
        assert.deepEqual(
          ids,
          ids.toSorted((a, b) => a - b),
        )
      }
    }),
    { numRuns: 150 },
  )
})

test('property: where order is promised, answers leave in the order of their requests', async () => {
  await fc.assert(
    fc.asyncProperty(specs, preferred, async (given, sizes) => {
      const { outcomes } = await play(given, batchingOf(true, sizes))
      const numbers = outcomes.map(({ id }) => Number(id))
      assert.deepEqual(numbers, [...given.keys()])
    }),
    { numRuns: 150 },
  )
})
