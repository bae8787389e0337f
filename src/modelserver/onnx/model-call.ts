/** One invocation as it reaches a worker. */
export interface ModelRequest {
  readonly contentType: string | undefined
  readonly accept: string | undefined
  readonly body: Uint8Array
}

/** What a worker answers. */
export interface ModelReply {
  readonly status: number
  readonly contentType: string
  /** Bytes, or text of ASCII alone. */
  readonly body: Uint8Array | string
}

/** Why a worker did not run an invocation: too much waits, or nobody would wait for the reply. */
export type CallRefusal = 'overloaded' | 'expired'

/** One invocation that waits for its answer, whichever way it came. */
export interface ModelCall {
  readonly request: ModelRequest
  /** On the clock of `performance.now()`; absent where nobody looked at it. */
  readonly arrivedAtMs?: number
  /** On the same clock; infinite when the caller named none. */
  readonly deadlineAtMs: number
  /** Nobody waits for it any more. */
  readonly isOver: boolean
  answer(reply: ModelReply): void
  refuse(reason: CallRefusal, detail: string): void
}
