import { Buffer } from 'node:buffer'
import type { ContainerHead, Reply } from '../../src/gateway/reply.ts'

/** A client's end of a reply, in memory. */
export class RecordedReply implements Reply {
  head: ContainerHead | undefined
  readonly chunks: Buffer[] = []
  receivedBytes = 0
  hasEnded = false
  brokenOff: string | undefined
  /** What `write` returns: false makes the client a slow one. */
  takesMore = true
  /** Whether the client has seen a part of it. */
  isStarted = false
  onChunk: () => void = () => undefined
  #onDrain: () => void = () => undefined

  start(head: ContainerHead): void {
    this.head = head
  }

  write(chunk: Buffer): boolean {
    this.chunks.push(chunk)
    this.receivedBytes += chunk.length
    this.onChunk()
    return this.takesMore
  }

  end(): void {
    this.hasEnded = true
  }

  breakOff(reason: string): void {
    this.brokenOff = reason
  }

  onDrain(listener: () => void): void {
    this.#onDrain = listener
  }

  /** The client has caught up. */
  drain(): void {
    this.takesMore = true
    this.#onDrain()
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks)
  }

  get text(): string {
    return this.body.toString()
  }
}
