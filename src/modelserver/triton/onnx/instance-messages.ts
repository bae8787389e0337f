import type { Signature } from '../../codecs/signature.ts'
import type { SessionChoices } from '../../onnx/session.ts'
import type { Datatype } from '../../../wire/oip/tensor.ts'

/** What an instance's thread is started with. */
export interface InstanceData {
  readonly modelPath: string
  readonly choices: SessionChoices
}

/** A tensor of a batch: where its bytes lie in the buffer that comes with it. */
export interface PlacedTensor {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: readonly number[]
  readonly offset: number
  readonly byteLength: number
}

/** To an instance's thread: one run. */
export interface ToInstance {
  readonly buffer: ArrayBuffer
  readonly inputs: readonly PlacedTensor[]
  readonly outputNames: readonly string[]
}

/** An output with memory of its own. */
export interface OutputTensor {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: readonly number[]
  readonly data: Uint8Array<ArrayBuffer>
}

/** From an instance's thread. */
export type FromInstance =
  | { readonly kind: 'loaded'; readonly signature: Signature }
  | { readonly kind: 'failed'; readonly message: string }
  | {
      readonly kind: 'executed'
      readonly outputs: readonly OutputTensor[]
      readonly inputEndNs: number
      readonly outputStartNs: number
    }
  /** The run failed; the instance goes on. */
  | { readonly kind: 'run-failed'; readonly message: string }
