/**
 * ONNX Runtime alone: as many threads as asked, each with a session of one thread that runs the model again and again.
 *
 * Prints the rows per second of all threads together.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { RawOnnxSpec } from './raw-onnx.ts'
import { makeRows } from './rows.ts'

const WARM_RUNS = 20

if (isMainThread) {
  const spec = JSON.parse(process.argv[2] ?? '') as RawOnnxSpec
  const perSecond = await Promise.all(
    Array.from({ length: spec.threadCount }, () => runThread(spec)),
  )
  process.stdout.write(String(perSecond.reduce((total, value) => total + value, 0)))
} else {
  parentPort?.postMessage(await measure(workerData as RawOnnxSpec))
}

function runThread(spec: RawOnnxSpec): Promise<number> {
  return new Promise((settle, fail) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: spec })
    worker.once('message', settle)
    worker.once('error', fail)
  })
}

async function measure({ modelPath, batchSize, seconds }: RawOnnxSpec): Promise<number> {
  const session = await InferenceSession.create(modelPath, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  })
  const rows = makeRows(batchSize)
  const input = new Tensor('float32', Float32Array.from(rows.flat()), [
    batchSize,
    rows[0]?.length ?? 0,
  ])
  for (let n = 0; n < WARM_RUNS; n++) await session.run({ input })
  const startMs = performance.now()
  let runs = 0
  while (performance.now() - startMs < seconds * 1000) {
    await session.run({ input })
    runs += 1
  }
  return (runs * batchSize * 1000) / (performance.now() - startMs)
}
