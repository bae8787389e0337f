import type { ExitReason } from '../start-failure.ts'
import type { ModelReply, ModelRequest } from './model.ts'

/** From the pool to a worker: one invocation. A worker has at most one at a time. */
export type ToWorker = ModelRequest

/** From a worker to the pool. */
export type FromWorker =
  /** The model is loaded; the signature in words is for the log. */
  | { readonly kind: 'ready'; readonly signature: string }
  /** The model cannot be loaded; the worker ends. */
  | { readonly kind: 'failed'; readonly reason: ExitReason; readonly message: string }
  /** The answer to the invocation it has. */
  | { readonly kind: 'reply'; readonly reply: ModelReply }
