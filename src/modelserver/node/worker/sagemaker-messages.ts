import type { CallHead, WorkerMessage } from '../../user-code/user-worker.ts'
import type { UserCodePlace } from './thread-data.ts'

/** What the thread is started with. */
export interface SageMakerThreadData extends UserCodePlace {
  /** `Accept` where the caller gave none. */
  readonly defaultAccept: string
}

/** Parts of a stream that may be under way to the model server. */
export const CREDIT_COUNT = 16

/** To the thread. */
export type ToThread =
  | {
      readonly kind: 'invoke'
      readonly callId: number
      readonly head: CallHead
      readonly body: Uint8Array
    }
  | { readonly kind: 'cancel' }
  /** So many parts of a stream have been taken. */
  | { readonly kind: 'credit'; readonly count: number }

/** From the thread. */
export interface FromThread {
  /** 0: belongs to no call. */
  readonly callId: number
  readonly message: WorkerMessage
  readonly body: Uint8Array | undefined
}
