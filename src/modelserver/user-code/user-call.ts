import type { Invocation, Reply } from '../image.ts'
import type { ReplyStream } from './reply-stream.ts'

/** One invocation on its way through a worker. */
export interface UserCall {
  readonly id: number
  readonly invocation: Invocation
  /** Aborts when nobody waits for the reply any more. */
  readonly signal: AbortSignal
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: Error) => void
  /** Its reply, once that has begun as a stream. */
  stream?: ReplyStream
  /** What listens to its signal. */
  onAbort?: () => void
}
