import type { NamedTensor } from '../codecs/tensor.ts'
import type { Session } from './session.ts'
import { takeTurn } from './turn.ts'
import type { TurnMemory } from './turn.ts'

/** What a session needs to become faster later. */
export interface TwoSpeedOptions {
  /** Answers now; slow in batches. */
  readonly first: Session
  /** Makes the session that is as slow to create as it is fast in batches; blocks the thread for most of it. */
  readonly createSecond: () => Promise<Session>
  /** Only one worker of a model is away at a time. */
  readonly turn: TurnMemory
  readonly nowMs: () => number
  /** Called once: how long it was away, or why it stays as it is. */
  readonly onChanged: (change: { readonly tookMs: number } | { readonly error: Error }) => void
}

// So long without an invocation, an instance is at rest or between two bursts.
const IDLE_MS = 100
// A thread that never rests gains more from faster batches than it loses: at 400 MB, half a second against about
// 40 ms a batch.
const BATCHES_MAX = 32

/**
 * A session that answers within milliseconds of its creation and is replaced by a faster one when nobody waits for it.
 *
 * slow → (idle, or busy with batches for long; and this worker's turn) → changing → fast. Runs that began on the slow
 * one end on it.
 */
export class TwoSpeedSession implements Session {
  readonly signature: Session['signature']
  readonly #options: TwoSpeedOptions
  #current: Session
  #lastUsedAtMs: number
  #batchCount = 0
  #outstandingCount = 0
  #isSettled = false
  #replaced: Session | undefined

  constructor(options: TwoSpeedOptions) {
    this.#options = options
    this.#current = options.first
    this.signature = options.first.signature
    this.#lastUsedAtMs = options.nowMs()
  }

  async run(inputs: readonly NamedTensor[]): Promise<readonly NamedTensor[]> {
    const session = this.#current
    if ((inputs[0]?.dims[0] ?? 1) > 1) this.#batchCount += 1
    this.#outstandingCount += 1
    try {
      return await session.run(inputs)
    } finally {
      this.#outstandingCount -= 1
      this.#lastUsedAtMs = this.#options.nowMs()
      if (this.#replaced !== undefined) await this.#closeReplaced()
    }
  }

  async close(): Promise<void> {
    this.#isSettled = true
    await this.#current.close()
  }

  /** Begins the change if it is time; to be called every now and then. @returns whether there is nothing left to do. */
  look(): boolean {
    const { turn, nowMs } = this.#options
    if (this.#isSettled) return true
    const isIdle = this.#outstandingCount === 0 && nowMs() - this.#lastUsedAtMs >= IDLE_MS
    if (!isIdle && this.#batchCount < BATCHES_MAX) return false
    const giveBack = takeTurn(turn, nowMs() / 1000)
    if (giveBack === undefined) return false
    this.#isSettled = true
    void this.#change().finally(giveBack)
    return true
  }

  async #change(): Promise<void> {
    const { createSecond, nowMs, onChanged } = this.#options
    const startedAtMs = nowMs()
    try {
      const second = await createSecond()
      this.#replaced = this.#current
      this.#current = second
      onChanged({ tookMs: Math.round(nowMs() - startedAtMs) })
      await this.#closeReplaced()
    } catch (error) {
      onChanged({ error: error instanceof Error ? error : new Error(String(error)) })
    }
  }

  // Not while a run may still be on it.
  async #closeReplaced(): Promise<void> {
    if (this.#outstandingCount > 0 || this.#replaced === undefined) return
    const replaced = this.#replaced
    this.#replaced = undefined
    await replaced.close()
  }
}
