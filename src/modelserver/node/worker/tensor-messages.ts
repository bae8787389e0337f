import type { PlacedTensor } from '../../triton/onnx/instance-messages.ts'
import type { RequestHead } from '../author/model.ts'
import type { DeclaredSignature, GivenTensor } from './tensors.ts'

/** To a thread that serves tensors. One run at a time. */
export type ToTensorThread =
  | {
      readonly kind: 'run'
      readonly buffer: ArrayBuffer
      readonly inputs: readonly PlacedTensor[]
      readonly requests: readonly RequestHead[]
    }
  /** Nobody waits for the run any more. */
  | { readonly kind: 'cancel' }

/** From a thread that serves tensors. */
export type FromTensorThread =
  | { readonly kind: 'loaded'; readonly signature: DeclaredSignature }
  | { readonly kind: 'load-failed'; readonly message: string }
  | { readonly kind: 'outputs'; readonly outputs: readonly GivenTensor[] }
  | { readonly kind: 'executed'; readonly inputEndNs: number; readonly outputStartNs: number }
  /** The run failed; the thread goes on. */
  | {
      readonly kind: 'run-failed'
      readonly message: string
      /** That of a `StatusError`, whose message is meant for the caller. */
      readonly statusCode: number | undefined
    }
