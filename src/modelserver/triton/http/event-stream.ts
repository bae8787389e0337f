import { Buffer } from 'node:buffer'

/** Server-sent events, added as they happen and read as fast as the client takes them. */
export class EventStream implements AsyncIterable<Uint8Array> {
  #waiting: string[] = []
  #isEnded = false
  #wake: (() => void) | undefined

  /** @param json one value in one line. */
  add(json: string): void {
    this.#waiting.push(`data: ${json}\n\n`)
    this.#wake?.()
  }

  end(): void {
    this.#isEnded = true
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const events = this.#waiting
      this.#waiting = []
      if (events.length > 0) yield Buffer.from(events.join(''))
      else if (this.#isEnded) return
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}
