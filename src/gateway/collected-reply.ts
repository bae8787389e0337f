import { Buffer } from 'node:buffer'

import type { ByteBudget } from './body-budget.ts'
import type { ContainerHead, Reply } from './reply.ts'

/**
 * A container's reply that goes to the next container of a pipeline and not to the client.
 *
 * Its bytes count in the budget as they come, until {@link CollectedReply.release}. Once the budget has refused some, or they
 * are more than may be handed on, the rest is dropped as it comes and only counted.
 */
export class CollectedReply implements Reply {
  /** Always: the client sees nothing of it, so every failure can still be told. */
  readonly isStarted = false
  readonly #budget: ByteBudget
  readonly #bytesMax: number
  #chunks: Buffer[] = []
  #byteCount = 0
  #heldBytes = 0
  #refusal: Error | undefined
  #head: ContainerHead | undefined

  constructor(budget: ByteBudget, bytesMax: number) {
    this.#budget = budget
    this.#bytesMax = bytesMax
  }

  /** Of the whole body, however much of it was kept. */
  get byteCount(): number {
    return this.#byteCount
  }

  /** 0 until the head has come. */
  get statusCode(): number {
    return this.#head?.statusCode ?? 0
  }

  get contentType(): string | undefined {
    return this.#head?.headers['content-type']
  }

  /**
   * The whole body; to be called once, after the end.
   *
   * @throws BerthError `ServiceUnavailable`, `ThrottlingException`: the gateway holds too many bodies.
   */
  takeBody(): Buffer {
    if (this.#refusal !== undefined) throw this.#refusal
    const [first] = this.#chunks
    const body =
      this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks)
    this.#chunks = []
    return body
  }

  /** Nobody needs the body any more; it may be called again. */
  release(): void {
    this.#chunks = []
    this.#budget.giveBack(this.#heldBytes)
    this.#heldBytes = 0
  }

  start(head: ContainerHead): void {
    this.#head = head
  }

  write(chunk: Buffer): boolean {
    this.#byteCount += chunk.length
    if (this.#byteCount > this.#bytesMax) this.release()
    if (this.#byteCount > this.#bytesMax || this.#refusal !== undefined) return true
    try {
      this.#budget.take(chunk.length)
    } catch (refusal) {
      this.#refusal = refusal instanceof Error ? refusal : new Error(String(refusal))
      this.release()
      return true
    }
    this.#heldBytes += chunk.length
    this.#chunks.push(chunk)
    return true
  }

  end(): void {
    // It is taken from here once `forward` has resolved.
  }

  breakOff(): void {
    this.release()
  }

  onDrain(): void {
    // It takes everything at once.
  }
}
