import { Buffer } from 'node:buffer'

import type { ContainerHead, Reply } from './reply.ts'

/** A container's reply that goes to the next container of a pipeline and not to the client. */
export class CollectedReply implements Reply {
  /** Always: the client sees nothing of it, so every failure can still be told. */
  readonly isStarted = false
  #chunks: Buffer[] = []
  #byteCount = 0
  #head: ContainerHead | undefined

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

  /** The whole body; to be called once, after the end. */
  takeBody(): Buffer {
    const [first] = this.#chunks
    const body =
      this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks)
    this.#chunks = []
    return body
  }

  start(head: ContainerHead): void {
    this.#head = head
  }

  write(chunk: Buffer): boolean {
    this.#chunks.push(chunk)
    this.#byteCount += chunk.length
    return true
  }

  end(): void {
    // It is taken from here once `forward` has resolved.
  }

  breakOff(): void {
    this.#chunks = []
  }

  onDrain(): void {
    // It takes everything at once.
  }
}
