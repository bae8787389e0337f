type Message = Readonly<Record<string, unknown>>

/** A reply and about how much memory it takes. */
export interface MeasuredReply {
  readonly reply: Message
  readonly bytes: number
}

/** Sends a reply; calls back when the client's end of the stream has room for it. */
export type SendReply = (reply: Message, onTaken: () => void) => void

// What the library may hold: enough that small replies do not wait for each other.
const WINDOW_BYTES = 1024 * 1024

/**
 * Replies that a client has not read yet. Few of them are with the library, so that the others can be dropped when the
 * client reads nothing.
 */
export class StreamOutbox {
  readonly #send: SendReply
  readonly #onTaken: () => void
  readonly #waiting = new Set<MeasuredReply>()
  #waitingBytes = 0
  #sentBytes = 0
  #whenEmpty: (() => void) | undefined

  /** @param onTaken told whenever the client has taken something. */
  constructor(send: SendReply, onTaken: () => void) {
    this.#send = send
    this.#onTaken = onTaken
  }

  /** Bytes of replies that the client has not taken. */
  get unreadBytes(): number {
    return this.#waitingBytes + this.#sentBytes
  }

  add(measured: MeasuredReply): void {
    this.#waiting.add(measured)
    this.#waitingBytes += measured.bytes
    this.#fill()
  }

  /** Calls back, at once or later, when every reply is with the library. */
  whenEmpty(take: () => void): void {
    this.#whenEmpty = take
    this.#fill()
  }

  /** Forgets what is not with the library. */
  drop(): void {
    this.#waiting.clear()
    this.#waitingBytes = 0
  }

  #fill(): void {
    for (const measured of this.#waiting) {
      const { reply, bytes } = measured
      if (this.#sentBytes > 0 && this.#sentBytes + bytes > WINDOW_BYTES) return
      this.#waiting.delete(measured)
      this.#waitingBytes -= bytes
      this.#sentBytes += bytes
      this.#send(reply, () => this.#taken(bytes))
    }
    this.#whenEmpty?.()
    this.#whenEmpty = undefined
  }

  #taken(bytes: number): void {
    this.#sentBytes -= bytes
    this.#fill()
    this.#onTaken()
  }
}
