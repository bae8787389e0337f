import { Buffer } from 'node:buffer'
import type { UserWorker, UserWorkerListener, WorkerKind } from '../user-code/user-worker.ts'
import { AHEAD_MAX, Claims, createClaimMemory } from './claims.ts'
import { threadUrl } from './thread-url.ts'
import { NodeThread } from './thread.ts'
import type {
  FromThread,
  SageMakerThreadData,
  SageMakerWorkerData,
  ToThread,
} from './worker/sagemaker-messages.ts'

/** What the threads of one model are started with. */
export interface NodeLaunch {
  readonly data: SageMakerThreadData
  readonly environment: Readonly<Record<string, string>>
  readonly heapMbMax: number
}

/** Threads that run the handler contract in Node. */
export function nodeWorkers(launch: NodeLaunch): WorkerKind {
  return {
    name: 'Node worker',
    aheadMax: AHEAD_MAX,
    start: (listener) => new NodeWorker(launch, listener),
  }
}

const NOTHING = Buffer.alloc(0)

class NodeWorker implements UserWorker {
  readonly #thread: NodeThread<ToThread, FromThread>
  readonly #claims: Claims
  /** Parts that were taken while the thread was to wait, and of which call. */
  #heldCount = 0
  #heldCallId = 0
  #isPaused = false

  constructor(launch: NodeLaunch, { onMessage, onExit }: UserWorkerListener) {
    const claimMemory = createClaimMemory()
    this.#claims = new Claims(claimMemory)
    const data: SageMakerWorkerData = { ...launch.data, claimMemory }
    this.#thread = new NodeThread<ToThread, FromThread>(
      { ...launch, data, url: threadUrl('sagemaker-thread') },
      {
        onMessage: ({ callId, message, body }) => {
          if (message.kind === 'reply-data') this.#takePart(callId)
          onMessage(callId, message, body === undefined ? NOTHING : asBuffer(body))
        },
        onExit,
      },
    )
  }

  run(callId: number, head: Parameters<UserWorker['run']>[1], body: Buffer): void {
    // A copy that can be moved: small bodies share the memory of others.
    const own = new Uint8Array(body)
    const place = this.#claims.offer(callId)
    this.#thread.post({ kind: 'invoke', callId, place, head, body: own }, [own.buffer])
  }

  takeBack(callId: number): boolean {
    return this.#claims.claimById(callId)
  }

  interrupt(callId: number): void {
    this.#thread.post({ kind: 'cancel', callId })
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    if (this.#heldCount === 0) return
    this.#thread.post({ kind: 'credit', callId: this.#heldCallId, count: this.#heldCount })
    this.#heldCount = 0
  }

  kill(): void {
    this.#thread.kill()
  }

  close(): Promise<void> {
    return this.#thread.close()
  }

  #takePart(callId: number): void {
    if (!this.#isPaused) return this.#thread.post({ kind: 'credit', callId, count: 1 })
    if (this.#heldCallId !== callId) this.#heldCount = 0
    this.#heldCallId = callId
    this.#heldCount += 1
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
