/**
 * `node bench/python-latency.ts`: what a Python process adds to an invocation of 64 floats: from the model server's pool to
 * `transform_fn` and back, without HTTP and without user code that does anything.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pythonWorkers } from '../src/modelserver/python/sagemaker-worker.ts'
import { SeatPool } from '../src/modelserver/user-code/seat-pool.ts'

const WARM_UP_COUNT = 500
const CALL_COUNT = 5_000
const HANDLER =
  'def model_fn(d): return 0\ndef transform_fn(model, body, content_type, accept): return body, content_type\n'

const folder = await mkdtemp(join(tmpdir(), 'berth-bench-'))
await writeFile(join(folder, 'inference.py'), HANDLER)
const loaded = Promise.withResolvers<void>()
const pool = new SeatPool({
  kind: pythonWorkers({
    python: process.env['BERTH_PYTHON'] ?? 'python3',
    arguments: [folder],
    environment: { PATH: process.env['PATH'] ?? '' },
  }),
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
await rm(folder, { recursive: true })
latenciesUs.sort((left, right) => left - right)
const percentile = (share: number): number =>
  Math.round(latenciesUs[Math.floor(CALL_COUNT * share)] ?? 0)
console.log(
  JSON.stringify({ callCount: CALL_COUNT, p50Us: percentile(0.5), p99Us: percentile(0.99) }),
)
