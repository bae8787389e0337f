import { Buffer } from 'node:buffer'

/** Server-sent events, added as they happen and read as fast as the client takes them. */
export class EventStream implements AsyncIterable<Uint8Array> {
  readonly #unreadBytesMax: number
  readonly #overflow = new AbortController()
  #waiting: string[] = []
  #unreadBytes = 0
  #isEnded = false
  #wake: (() => void) | undefined

  /** @param unreadBytesMax how much the client may leave unread before the stream is broken off. */
  constructor(unreadBytesMax: number) {
    this.#unreadBytesMax = unreadBytesMax
  }

  /** Aborts when the client has left too much unread. */
  get signal(): AbortSignal {
    return this.#overflow.signal
  }

  /** One event is taken however large it is. @param json one value in one line. */
  add(json: string): void {
    if (this.#overflow.signal.aborted) return
    if (this.#unreadBytes > this.#unreadBytesMax) this.#overflow.abort(this.#leftUnread())
    else {
      const event = `data: ${json}\n\n`
      this.#unreadBytes += event.length
      this.#waiting.push(event)
    }
    this.#wake?.()
  }

  end(): void {
    this.#isEnded = true
    this.#wake?.()
  }

  /** @throws Error the client has left too much unread. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      this.#overflow.signal.throwIfAborted()
      const text = this.#waiting.splice(0).join('')
      if (text !== '') {
        yield Buffer.from(text)
        this.#unreadBytes -= text.length
      } else if (this.#isEnded) return
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  #leftUnread(): Error {
    const unread = `the client has left ${this.#unreadBytes} bytes of events unread`
    return new Error(`${unread}; --stream-unread-bytes is ${this.#unreadBytesMax}`)
  }
}
