/** Headers of a reply, in the order in which they are sent. */
export type ReplyHeaders = Readonly<Record<string, string>>

/** Where the reply to one request goes: a connection of the raw front, or a response of node's HTTP server. */
export interface ClientSink {
  /** Whether the client may have seen a part of the reply, so that no other one can be given. */
  readonly isStarted: boolean
  /**
   * Sends a whole reply with its length. When the request has not come to its end, the connection is closed after it:
   * what is left of the body must not be read as the next request.
   */
  sendWhole(status: number, headers: ReplyHeaders, body: Buffer): void
  /** Sends the head at once. The body that follows is chunked unless the headers tell its length. */
  start(status: number, headers: ReplyHeaders): void
  /** @returns false when the client is slower than the sender: pause until it has drained. */
  write(chunk: Buffer): boolean
  end(lastChunk?: Buffer): void
  /** Cuts the connection, so that the client cannot take what it has for a whole reply. */
  destroy(): void
  /** Sets the one listener for "the client has caught up". */
  onDrain(listener: () => void): void
  /**
   * Sets the one listener for "the connection closed before the reply was sent". Called at once when it is closed
   * already.
   */
  onClosed(listener: () => void): void
}
