import { Worker } from 'node:worker_threads'
import type { Transferable } from 'node:worker_threads'

/** One thread of user code to start. */
export interface ThreadLaunch {
  /** Its program. */
  readonly url: URL
  /** What the program is started with. */
  readonly data: unknown
  readonly environment: Readonly<Record<string, string>>
  /** V8's heap, in megabytes: past it the thread ends, and nothing else. */
  readonly heapMbMax: number
}

/** Who hears of a thread. */
export interface ThreadListener<From> {
  readonly onMessage: (message: From) => void
  /** It is gone, in words that complete "the Node worker …". Nothing is heard of it afterwards. */
  readonly onExit: (how: string) => void
}

// Native code cannot be interrupted: after this long a thread in it is given up, and ends when that code returns.
const END_MS_MAX = 2_000

/** One thread of user code. What it does to itself, by an error or by using up its heap, ends it and nothing else. */
export class NodeThread<To, From> {
  readonly #worker: Worker
  readonly #onExit: (how: string) => void
  readonly #heapMbMax: number
  #diedOf: string | undefined
  #isGone = false

  constructor(launch: ThreadLaunch, listener: ThreadListener<From>) {
    this.#heapMbMax = launch.heapMbMax
    this.#onExit = listener.onExit
    this.#worker = new Worker(launch.url, {
      workerData: launch.data,
      env: launch.environment,
      resourceLimits: { maxOldGenerationSizeMb: launch.heapMbMax },
      name: 'user code',
    })
    this.#worker.on('message', (message: From) => {
      if (!this.#isGone) listener.onMessage(message)
    })
    this.#worker.on('error', (error: unknown) => (this.#diedOf = this.#describe(error)))
    this.#worker.once('exit', (code) => this.#leave(this.#diedOf ?? `ended with exit code ${code}`))
  }

  post(message: To, moved: readonly Transferable[] = []): void {
    this.#worker.postMessage(message, moved)
  }

  kill(): void {
    void this.#worker.terminate()
    setTimeout(() => this.#leave('does not let itself be ended'), END_MS_MAX).unref()
  }

  /** Ends it; resolves when it has ended, or is given up. */
  close(): Promise<void> {
    if (this.#isGone) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#worker.once('exit', () => resolve())
    setTimeout(resolve, END_MS_MAX).unref()
    void this.#worker.terminate()
    return promise
  }

  #leave(how: string): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#onExit(how)
  }

  #describe(error: unknown): string {
    if (!(error instanceof Error)) return `died of an uncaught value: ${String(error)}`
    if ('code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
      return `ran out of memory: its heap may have ${this.#heapMbMax} MB (BERTH_NODE_HEAP_MB)`
    }
    const place = /\(?((?:file:\/\/)?\/[^\s()]+:\d+:\d+)\)?/.exec(error.stack ?? '')?.[1]
    const where = place === undefined ? '' : ` at ${place}`
    return `died of an uncaught ${error.name}: ${error.message}${where}`
  }
}
