import { Buffer } from 'node:buffer'
import type { UserWorker, UserWorkerListener, WorkerKind } from '../user-code/user-worker.ts'
import { threadUrl } from './thread-url.ts'
import { NodeThread } from './thread.ts'
import type { FromThread, SageMakerThreadData, ToThread } from './worker/sagemaker-messages.ts'

/** What the threads of one model are started with. */
export interface NodeLaunch {
  readonly data: SageMakerThreadData
  readonly environment: Readonly<Record<string, string>>
  readonly heapMbMax: number
}

/** Threads that run the handler contract in Node. */
export function nodeWorkers(launch: NodeLaunch): WorkerKind {
  return { name: 'Node worker', start: (listener) => new NodeWorker(launch, listener) }
}

const NOTHING = Buffer.alloc(0)

class NodeWorker implements UserWorker {
  readonly #thread: NodeThread<ToThread, FromThread>
  /** Parts that were taken while the thread was to wait. */
  #heldCount = 0
  #isPaused = false

  constructor(launch: NodeLaunch, { onMessage, onExit }: UserWorkerListener) {
    this.#thread = new NodeThread<ToThread, FromThread>(
      { ...launch, url: threadUrl('sagemaker-thread') },
      {
        onMessage: ({ callId, message, body }) => {
          if (message.kind === 'reply-data') this.#takePart()
          onMessage(callId, message, body === undefined ? NOTHING : asBuffer(body))
        },
        onExit,
      },
    )
  }

  run(callId: number, head: Parameters<UserWorker['run']>[1], body: Buffer): void {
    // A copy that can be moved: small bodies share the memory of others.
    const own = new Uint8Array(body)
    this.#thread.post({ kind: 'invoke', callId, head, body: own }, [own.buffer])
  }

  interrupt(): void {
    this.#thread.post({ kind: 'cancel' })
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    if (this.#heldCount === 0) return
    this.#thread.post({ kind: 'credit', count: this.#heldCount })
    this.#heldCount = 0
  }

  kill(): void {
    this.#thread.kill()
  }

  close(): Promise<void> {
    return this.#thread.close()
  }

  #takePart(): void {
    if (this.#isPaused) this.#heldCount += 1
    else this.#thread.post({ kind: 'credit', count: 1 })
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
