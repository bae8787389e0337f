import type { Buffer } from 'node:buffer'

// Parts held for a slow reader before the worker is made to wait.
const HELD_COUNT_MAX = 16

/** The parts of a streamed reply, between the worker that writes and the caller that reads. */
export class ReplyStream implements AsyncIterable<Uint8Array> {
  readonly #onFull: () => void
  readonly #onDrained: () => void
  /** The reader has gone before the end. */
  readonly #onAbandoned: () => void
  #parts: Buffer[] = []
  #isEnded = false
  #error: Error | undefined
  #wake: (() => void) | undefined

  constructor(listener: {
    readonly onFull: () => void
    readonly onDrained: () => void
    readonly onAbandoned: () => void
  }) {
    this.#onFull = listener.onFull
    this.#onDrained = listener.onDrained
    this.#onAbandoned = listener.onAbandoned
  }

  /** The worker is made to wait for the reader. */
  get isFull(): boolean {
    return this.#parts.length >= HELD_COUNT_MAX
  }

  add(part: Buffer): void {
    this.#parts.push(part)
    if (this.isFull) this.#onFull()
    this.#wake?.()
  }

  /** @param error what broke it, if it is not whole. */
  end(error?: Error): void {
    this.#isEnded = true
    this.#error = error
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      while (true) {
        const parts = this.#parts
        this.#parts = []
        if (parts.length >= HELD_COUNT_MAX) this.#onDrained()
        yield* parts
        if (this.#parts.length > 0) continue
        if (this.#error !== undefined) throw this.#error
        if (this.#isEnded) return
        await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    } finally {
      if (!this.#isEnded) this.#onAbandoned()
    }
  }
}
