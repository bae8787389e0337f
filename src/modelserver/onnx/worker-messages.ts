import type { LogFields } from '../log.ts'
import type { ExitReason } from '../start-failure.ts'
import type { ModelReply, ModelRequest } from './model-call.ts'

/** From the pool to a worker. */
export type ToWorker =
  /** One invocation; the id is the pool's own. */
  | { readonly kind: 'invoke'; readonly id: number; readonly request: ModelRequest }
  /** Nobody waits for the answer any more. */
  | { readonly kind: 'cancel'; readonly id: number }
  /** Take no more frames; say so when what came by frames has been answered. */
  | { readonly kind: 'drain' }
  /** Give the model back; only after `drain`. */
  | { readonly kind: 'release' }

/** From a worker to the pool. */
export type FromWorker =
  /** The model is loaded; the signature in words is for the log. */
  | {
      readonly kind: 'ready'
      readonly signature: string
      /** Invocations that it wants at a time: as many as it can run as one. */
      readonly callsMax: number
    }
  /** Something that happened to the model, for the log. */
  | {
      readonly kind: 'note'
      readonly event: string
      readonly fields: LogFields
    }
  /** The model cannot be loaded; the worker ends. */
  | { readonly kind: 'failed'; readonly reason: ExitReason; readonly message: string }
  /** The answer to an invocation. */
  | { readonly kind: 'reply'; readonly id: number; readonly reply: ModelReply }
  /** Nothing came by frames that has not been answered. */
  | { readonly kind: 'drained' }
