import type { CallHead, WorkerMessage } from '../../user-code/user-worker.ts'
import type { UserCodePlace } from './thread-data.ts'

/** What the thread is started with. */
export interface SageMakerThreadData extends UserCodePlace {
  /** `Accept` where the caller gave none. */
  readonly defaultAccept: string
}

/** The same, as each thread gets it. */
export interface SageMakerWorkerData extends SageMakerThreadData {
  /** Of `Claims`. */
  readonly claimMemory: SharedArrayBuffer
}

/** Parts of a stream that may be under way to the model server. */
export const CREDIT_COUNT = 16

/** To the thread. Calls may come while it has one: they wait in it. */
export type ToThread =
  | {
      readonly kind: 'invoke'
      readonly callId: number
      /** Of its claim. */
      readonly place: number
      readonly head: CallHead
      readonly body: Uint8Array
    }
  | { readonly kind: 'cancel'; readonly callId: number }
  /** So many parts of a stream have been taken. */
  | { readonly kind: 'credit'; readonly callId: number; readonly count: number }

/** From the thread. */
export interface FromThread {
  /** 0: belongs to no call. */
  readonly callId: number
  readonly message: WorkerMessage
  readonly body: Uint8Array | undefined
}
