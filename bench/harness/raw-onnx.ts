import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const CHILD = fileURLToPath(new URL('raw-onnx-child.ts', import.meta.url))

/** What `raw-onnx-child.ts` is told. */
export interface RawOnnxSpec {
  readonly modelPath: string
  readonly threadCount: number
  readonly batchSize: number
  readonly seconds: number
}

/** @returns rows per second of ONNX Runtime alone: sessions in a loop, one a thread, nothing around them. */
export async function measureRawOnnx(spec: RawOnnxSpec): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD, JSON.stringify(spec)])
  return Number(stdout)
}

/** @returns what the model says about each row; Berth and every peer must say the same. */
export async function predict(modelPath: string, rows: readonly (readonly number[])[]) {
  const { InferenceSession, Tensor } = await import('onnxruntime-node')
  const session = await InferenceSession.create(modelPath, { intraOpNumThreads: 1 })
  const predictions: number[][] = []
  for (const row of rows) {
    const input = new Tensor('float32', Float32Array.from(row), [1, row.length])
    const { output } = await session.run({ input })
    predictions.push(Array.from(output?.data as Float32Array))
  }
  await session.release()
  return predictions
}
