import type { WorkerKind } from '../../src/modelserver/user-code/user-worker.ts'
import { SeatPool } from '../../src/modelserver/user-code/seat-pool.ts'

const WARM_UP_COUNT = 500
const CALL_COUNT = 5_000

/** What one worker of user code adds to an invocation of 64 floats, one after the other; microseconds. */
export async function measureHandler(
  kind: WorkerKind,
): Promise<{ readonly callCount: number; readonly p50Us: number; readonly p99Us: number }> {
  const loaded = Promise.withResolvers<void>()
  const pool = new SeatPool({
    kind,
    workerCount: 1,
    waitingMax: 0,
    callMsMax: 10_000,
    log: (_level, event) => {
      if (event === 'model loaded') loaded.resolve()
    },
    onStartFailure: loaded.reject,
  })
  pool.start()
  await loaded.promise
  const invocation = {
    method: 'POST',
    path: '/invocations',
    headers: { 'content-type': 'application/octet-stream' },
    body: Buffer.alloc(64 * Float32Array.BYTES_PER_ELEMENT),
  }
  const { signal } = new AbortController()
  const latenciesUs: number[] = []
  for (let index = 0; index < WARM_UP_COUNT + CALL_COUNT; index += 1) {
    const startedAtMs = performance.now()
    await pool.invoke(invocation, signal)
    if (index >= WARM_UP_COUNT) latenciesUs.push((performance.now() - startedAtMs) * 1000)
  }
  await pool.close()
  latenciesUs.sort((left, right) => left - right)
  const percentile = (share: number): number =>
    Math.round(latenciesUs[Math.floor(CALL_COUNT * share)] ?? 0)
  return { callCount: CALL_COUNT, p50Us: percentile(0.5), p99Us: percentile(0.99) }
}
