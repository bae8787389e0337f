import type { Buffer } from 'node:buffer'

type Headers = Readonly<Record<string, string>>

/** What a worker says, whatever runs in it. */
export type WorkerMessage =
  | { readonly kind: 'loaded'; readonly model: string }
  | { readonly kind: 'load-failed'; readonly message: string }
  | { readonly kind: 'reply' | 'reply-start'; readonly status: number; readonly headers: Headers }
  | { readonly kind: 'reply-data' | 'reply-end' | 'cancelled' }
  | { readonly kind: 'reply-broken'; readonly message: string }

/** One invocation as a worker gets it, beside its body. */
export interface CallHead {
  readonly method: string
  readonly path: string
  readonly headers: Headers
  readonly requestId: string
}

/** A process or thread that runs user code, one call at a time, in the order in which it is handed them. */
export interface UserWorker {
  run(callId: number, head: CallHead, body: Buffer): void
  /** @returns whether a call that it was handed has not begun, and now never will. */
  takeBack(callId: number): boolean
  /** Asks the call, which it runs, to end, because nobody waits for it any more. May be repeated. */
  interrupt(callId: number): void
  /** Makes a worker that streams wait, until {@link UserWorker.resume}. */
  pause(): void
  resume(): void
  kill(): void
  /** Lets it end by itself, then kills it. */
  close(): Promise<void>
}

/** Who hears of a worker. */
export interface UserWorkerListener {
  /** @param body part of what was read: copy it to keep it. */
  readonly onMessage: (callId: number, message: WorkerMessage, body: Buffer) => void
  /** It is gone, in words that complete "the Python worker …". Nothing is heard of it afterwards. */
  readonly onExit: (how: string) => void
}

/** How workers of one kind are started. */
export interface WorkerKind {
  /** In messages: `Python worker`. */
  readonly name: string
  /** Calls that a worker may be handed beside the one that it runs. */
  readonly aheadMax: number
  start(listener: UserWorkerListener): UserWorker
}
