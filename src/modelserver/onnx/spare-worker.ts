import type { Worker } from 'node:worker_threads'
import { inferenceWorkerUrl } from './inference-worker-url.ts'
import { startThread } from './start-thread.ts'
import type { FromSpareWorker } from './wait-for-data.ts'

/**
 * An inference thread without a model: ONNX Runtime is loaded and has run once.
 *
 * Of the 70 ms that a thread takes to its first answer this leaves those of the model.
 */
export class SpareWorker {
  readonly #worker: Worker

  private constructor(worker: Worker) {
    this.#worker = worker
  }

  /** @param onEnd it ended before it was used. */
  static async start(onEnd: (reason: string) => void): Promise<SpareWorker> {
    const worker = startThread(inferenceWorkerUrl())
    const warm = Promise.withResolvers<void>()
    worker.on('message', ({ kind }: FromSpareWorker) => {
      if (kind === 'warm') warm.resolve()
    })
    worker.on('error', ({ message }: Error) => onEnd(message))
    worker.on('exit', (code) => onEnd(`exit code ${code}`))
    await warm.promise
    return new SpareWorker(worker)
  }

  /** Makes it an inference thread like any other. To be called once. */
  use(workerData: unknown): Worker {
    // By name: the worker has listeners of its own, for listeners, without which no message would come any more.
    for (const name of ['message', 'error', 'exit']) this.#worker.removeAllListeners(name)
    this.#worker.postMessage(workerData)
    return this.#worker
  }
}
