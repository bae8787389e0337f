import { Buffer } from 'node:buffer'

/** One `POST /invocations`, read to its end. */
export interface Invocation {
  readonly method: string
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** An answer; a body that is iterated is streamed, and one that throws breaks the connection. */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | AsyncIterable<Uint8Array>
}

/** What a built-in image does behind the container contract; the HTTP around it is in `server.ts`. */
export interface Image {
  /** Answers the model calls of an image that serves many (`/models…`); absent where it serves one. */
  readonly serveModelCall?: (call: Invocation, signal: AbortSignal) => Promise<Reply>
  /** What an image tells of itself beside the contract, by path; JSON. Absent where there is nothing to tell. */
  readonly tellByPath?: ReadonlyMap<string, () => unknown>
  /** Answers `GET /ping`: 200 when an invocation would be served now. */
  ping(): Promise<Reply>
  /** Answers one invocation. The signal aborts when the client is gone. */
  invoke(invocation: Invocation, signal: AbortSignal): Promise<Reply>
  /**
   * Suffixes of the sockets on which it takes invocations as frames; none where it listens on a port. See
   * `domain/frames-address.ts`.
   */
  readonly frameSuffixes: readonly string[]
  /** Invocations that came by frames, ever. */
  usedCount(): number
  /** Takes no more frames; resolves when those that came have been answered. */
  drain(): Promise<void>
  /** Resolves when the process can end: nothing runs that would hold it. */
  close(): Promise<void>
}

/** A JSON reply. */
export function jsonReply(status: number, value: unknown): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(value)),
  }
}

/** The one form of every refusal: `{"error": "…"}`. */
export function errorReply(status: number, message: string): Reply {
  return jsonReply(status, { error: message })
}
