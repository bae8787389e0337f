import type { Worker } from 'node:worker_threads'
import { inferenceWorkerUrl } from './inference-worker-url.ts'
import { startThread } from './start-thread.ts'
import type { FromSpareWorker } from './wait-for-data.ts'
import type { FromWorker, ToWorker } from './worker-messages.ts'

/** An inference thread without a model. What it has loaded and compiled for one model it has for the next one. */
export class SpareWorker {
  readonly #worker: Worker
  readonly #onEnd: (reason: string) => void

  private constructor(worker: Worker, onEnd: (reason: string) => void) {
    this.#worker = worker
    this.#onEnd = onEnd
  }

  /** @param onEnd it ended while nobody used it. */
  static async start(onEnd: (reason: string) => void): Promise<SpareWorker> {
    const worker = startThread(inferenceWorkerUrl())
    const spareWorker = new SpareWorker(worker, onEnd)
    await spareWorker.#untilWaiting()
    return spareWorker
  }

  /** Makes it an inference thread like any other. */
  use(workerData: unknown): Worker {
    this.#removeListeners()
    this.#worker.postMessage(workerData)
    return this.#worker
  }

  /** Takes it back from a pool that has drained it and will not use it any more; its model is gone then. */
  async takeBack(): Promise<void> {
    this.#removeListeners()
    const waiting = this.#untilWaiting()
    this.#worker.postMessage({ kind: 'release' } satisfies ToWorker)
    await waiting
  }

  async #untilWaiting(): Promise<void> {
    const waiting = Promise.withResolvers<void>()
    this.#worker.on('message', ({ kind }: FromSpareWorker | FromWorker) => {
      if (kind === 'waiting') waiting.resolve()
    })
    this.#worker.on('error', ({ message }: Error) => this.#onEnd(message))
    this.#worker.on('exit', (code) => this.#onEnd(`exit code ${code}`))
    await waiting.promise
  }

  // By name: the worker has listeners of its own, for listeners, without which no message would come any more.
  #removeListeners(): void {
    for (const name of ['message', 'error', 'exit']) this.#worker.removeAllListeners(name)
  }
}
