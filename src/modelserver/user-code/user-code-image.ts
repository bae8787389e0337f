import { ImageFrames } from '../frames/image-frames.ts'
import { errorReply } from '../image.ts'
import type { Image, Invocation, Reply } from '../image.ts'
import type { Log } from '../log.ts'
import { Rejection } from '../rejection.ts'
import { SeatPool } from './seat-pool.ts'
import type { UserSettings } from './user-settings.ts'
import type { WorkerKind } from './user-worker.ts'

/** What an image of user code needs, whatever its language. */
export interface UserCodeImageOptions {
  readonly settings: UserSettings
  /** What it does before it is ready, until `prepare` says otherwise: "looks for Python". */
  readonly firstStep: string
  /** Makes ready what the workers need; says in a few words what it is doing. */
  readonly prepare: (onStep: (step: string) => void, signal: AbortSignal) => Promise<WorkerKind>
  readonly waitingMax: number
  readonly bodyBytesMax: number
  /** Frames are taken beside it; undefined where the server listens on a port. */
  readonly socketPath: string | undefined
  readonly log: Log
  /** Called when there turns out to be nothing to serve after the server has started. */
  readonly onStartFailure: (failure: unknown) => void
}

const HELD_BYTES_MAX = 512 * 1024 * 1024

/**
 * Starts an image of user code. It answers pings at once, with 503 until a worker has loaded the model.
 */
export async function startUserCodeImage(options: UserCodeImageOptions): Promise<Image> {
  const image = new UserCodeImage(options)
  await image.listen()
  image.start()
  return image
}

class UserCodeImage implements Image {
  readonly #options: UserCodeImageOptions
  readonly #frames: ImageFrames
  readonly #closing = new AbortController()
  #pool: SeatPool | undefined
  #step: string

  constructor(options: UserCodeImageOptions) {
    this.#options = options
    this.#step = options.firstStep
    this.#frames = new ImageFrames(this, { ...options, heldBytesMax: HELD_BYTES_MAX })
  }

  get frameSuffixes(): readonly string[] {
    return this.#frames.suffixes
  }

  listen(): Promise<void> {
    return this.#frames.listen()
  }

  /** Prepares and starts the workers, while pings are answered. */
  start(): void {
    this.#startPool().catch((error: unknown) => {
      if (!this.#closing.signal.aborted) this.#options.onStartFailure(error)
    })
  }

  ping(): Promise<Reply> {
    const reason = this.#unreadiness()
    const good = { status: 200, headers: {}, body: new Uint8Array() }
    return Promise.resolve(reason === undefined ? good : errorReply(503, reason))
  }

  async invoke(invocation: Invocation, signal: AbortSignal): Promise<Reply> {
    if (this.#pool !== undefined) return this.#pool.invoke(invocation, signal)
    throw new Rejection(503, `No model to invoke: ${this.#unreadiness()}.`)
  }

  usedCount(): number {
    return this.#frames.servedCount
  }

  drain(): Promise<void> {
    return this.#frames.close()
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#pool?.close()
  }

  #unreadiness(): string | undefined {
    return this.#pool === undefined ? `the instance ${this.#step}` : this.#pool.unreadiness()
  }

  async #startPool(): Promise<void> {
    const { settings, prepare } = this.#options
    const { signal } = this.#closing
    const kind = await prepare((step) => (this.#step = step), signal)
    signal.throwIfAborted()
    this.#pool = new SeatPool({ ...this.#options, ...settings, kind })
    this.#pool.start()
  }
}
