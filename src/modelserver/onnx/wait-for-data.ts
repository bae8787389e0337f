import { once } from 'node:events'
import { flushCompileCache } from 'node:module'
import type { MessagePort } from 'node:worker_threads'
import type { InferenceWorkerData } from './worker-data.ts'

/** From a thread that has no model. */
export interface FromSpareWorker {
  readonly kind: 'waiting'
}

/** In a thread that was started without a model: waits for what it was not told. */
export async function waitForData(port: MessagePort): Promise<InferenceWorkerData> {
  // Whoever ends the process may well use SIGKILL, which writes nothing down.
  flushCompileCache()
  const told = once(port, 'message')
  port.postMessage({ kind: 'waiting' } satisfies FromSpareWorker)
  const [data]: InferenceWorkerData[] = await told
  if (data === undefined) throw new Error('The thread was told nothing.')
  return data
}
