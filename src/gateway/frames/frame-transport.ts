import { MODEL_HEADER } from '../../domain/multi-model/model-header.ts'
import { FrameError } from '../../wire/frames.ts'
import type { Call, CallReceiver, ContainerRequest, Transport } from '../transport.ts'
import { FrameCall } from './frame-call.ts'
import { FrameConnection } from './frame-connection.ts'
import type { ConnectionOptions } from './frame-connection.ts'
import { ReplyPolling } from '../../platform/reply-polling.ts'

// Bytes of one reply that lie between the container and a client that does not read: a few chunks of the largest size
// that a socket gives at a time, so that a client that reads never waits for credit.
const WINDOW_BYTES = 256 * 1024
// A worker that has died is back after about this time, or dies again.
const REFUSED_MS = 100

// A worker with so much to do takes more before the next one is asked: shorter than a caller notices, longer than what
// some dozen small calls cost.
const PACKED_US = 2_000

/** How an instance's workers are used. */
export interface FrameTransportOptions {
  /** Counts round the workers: gateways that begin at different ones do not all crowd the same. */
  readonly firstWorker?: number
  /** Whether the event loop stays awake for replies that are about to come. */
  readonly isPolling?: boolean
}

interface Worker {
  /** As the instance counts them. */
  readonly seat: number
  readonly socketPath: string
  connection: FrameConnection | undefined
  refusedUntilMs: number
}

/**
 * Invocations as frames to the workers of one instance, each worker a socket of its own.
 *
 * A worker that refuses is left alone for a moment and its calls go to the next; only when every worker refuses has the
 * instance refused.
 */
export class FrameTransport implements Transport {
  readonly #workers: readonly Worker[]
  readonly #connections = new Set<FrameConnection>()
  readonly #isPolling: boolean
  #isClosed = false

  constructor(
    socketPaths: readonly string[],
    { firstWorker = 0, isPolling = true }: FrameTransportOptions = {},
  ) {
    this.#isPolling = isPolling
    const first = firstWorker % Math.max(1, socketPaths.length)
    const workers = socketPaths.map((socketPath, seat) => {
      return { seat, socketPath, connection: undefined, refusedUntilMs: 0 }
    })
    this.#workers = [...workers.slice(first), ...workers.slice(0, first)]
  }

  call(request: ContainerRequest, receiver: CallReceiver, timeoutMs: number): Call {
    const call = new FrameCall(withModel(request), receiver, {
      timeoutMs,
      windowBytes: WINDOW_BYTES,
    })
    this.#send(call, 'No worker of the instance accepts connections.')
    return call
  }

  close(): void {
    this.#isClosed = true
    for (const connection of this.#connections) connection.close()
  }

  destroy(): Promise<void> {
    this.#isClosed = true
    for (const connection of this.#connections) connection.destroy()
    return Promise.resolve()
  }

  #send(call: FrameCall, whyNot: string): void {
    if (call.isOver) return
    const worker = this.#isClosed ? undefined : this.#chooseWorker(call.request.model?.seat)
    if (worker === undefined) return call.fail('refused', whyNot)
    worker.connection ??= this.#connect(worker)
    try {
      worker.connection.send(call)
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      call.fail('malformed', error.message)
    }
  }

  // The first that will be free in a moment, else the one with the fewest outstanding calls.
  //
  // Small calls are better off together: one batch instead of two, one write and one wake-up instead of two. With 16
  // connections on a small model, the processor time of gateway and workers together was half of what the fewest
  // outstanding calls alone gave (decision 0008). A call that takes long finds the first worker busy and gets the next.
  #chooseWorker(seat: number | undefined): Worker | undefined {
    if (seat !== undefined) return this.#findWorker(seat)
    let chosen: Worker | undefined
    let leastCount = Infinity
    for (const worker of this.#workers) {
      const { connection } = worker
      const count = connection?.outstandingCount ?? 0
      if (count >= leastCount || connection?.isFull === true) continue
      if (worker.refusedUntilMs > 0 && worker.refusedUntilMs > performance.now()) continue
      if ((connection?.backlogUs ?? 0) <= PACKED_US) return worker
      chosen = worker
      leastCount = count
    }
    return chosen
  }

  #connectionOptions(): ConnectionOptions {
    const polling = this.#isPolling ? new ReplyPolling() : undefined
    return { windowBytes: WINDOW_BYTES, polling }
  }

  // Nobody else has the model.
  #findWorker(seat: number): Worker | undefined {
    const worker = this.#workers.find((candidate) => candidate.seat === seat)
    if (worker === undefined || worker.connection?.isFull === true) return undefined
    const isRefused = worker.refusedUntilMs > 0 && worker.refusedUntilMs > performance.now()
    return isRefused ? undefined : worker
  }

  #connect(worker: Worker): FrameConnection {
    const connection = new FrameConnection(worker.socketPath, this.#connectionOptions(), {
      onClosed: () => {
        this.#connections.delete(connection)
        if (worker.connection === connection) worker.connection = undefined
      },
      onRefused: (calls, detail) => {
        worker.refusedUntilMs = performance.now() + REFUSED_MS
        for (const call of calls) this.#send(call, detail)
      },
    })
    this.#connections.add(connection)
    return connection
  }
}

// Frames have no path that could name it.
function withModel(request: ContainerRequest): ContainerRequest {
  const { model, headers } = request
  if (model === undefined) return request
  return { ...request, headers: { ...headers, [MODEL_HEADER]: model.modelId } }
}
