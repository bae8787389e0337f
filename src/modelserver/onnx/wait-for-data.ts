import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import type { MessagePort } from 'node:worker_threads'
import { createSession } from './session.ts'
import type { InferenceWorkerData } from './worker-data.ts'

/** From a thread that was started before there was a model. */
export interface FromSpareWorker {
  readonly kind: 'warm'
}

// One Identity of a float, as onnx.proto encodes it: the first session of a process costs 37 ms for a model of any size,
// the next one 2.
const SMALLEST_MODEL =
  'CAgSC2JlcnRoIGJlbmNoOkkKEAoBeBIBeSIISWRlbnRpdHkSAXdaGAoBeBITChEIARINCgcSBWJhdGNoCgIIAWIYCgF5EhMKEQgBEg0KBxIFYmF0Y2gKAggBQgQKABAR'

/** In a thread that was started without a model: loads what every model needs, then waits for what it was not told. */
export async function waitForData(port: MessagePort): Promise<InferenceWorkerData> {
  const session = await createSession(Buffer.from(SMALLEST_MODEL, 'base64'))
  await session.run([{ name: 'x', type: 'float32', dims: [1, 1], elements: Float32Array.of(1) }])
  await session.close()
  port.postMessage({ kind: 'warm' } satisfies FromSpareWorker)
  const [data]: InferenceWorkerData[] = await once(port, 'message')
  if (data === undefined) throw new Error('The thread was told nothing.')
  return data
}
