import type { Signature } from '../../codecs/signature.ts'
import type { SessionChoices } from '../../onnx/session.ts'
import type { Datatype } from '../../../wire/oip/tensor.ts'

/** What an instance's thread is started with. */
export interface InstanceData {
  readonly modelPath: string
  readonly choices: SessionChoices
}

/** A model that threads of others may load as well, as it was when it was loaded. */
export interface AttachableData extends InstanceData {
  /** Fingerprint of the folder of its files. */
  readonly files: string
}

/** A tensor of a batch: where its bytes lie in the buffer that comes with it. */
export interface PlacedTensor {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: readonly number[]
  readonly offset: number
  readonly byteLength: number
}

/** To an instance's thread. */
export type ToInstance =
  | ({ readonly kind: 'run' } & BatchRun)
  /** Another model is to be loaded beside its own, for follow-ups. */
  | { readonly kind: 'attach'; readonly key: number; readonly data: AttachableData }
  | { readonly kind: 'detach'; readonly key: number }

/** One run, and others with what it gave. */
export interface BatchRun {
  readonly buffer: ArrayBuffer
  readonly inputs: readonly PlacedTensor[]
  readonly outputNames: readonly string[]
  readonly followUps: readonly FollowUpRun[]
}

/** A run of a model that was attached. */
export interface FollowUpRun {
  readonly key: number
  readonly inputs: readonly {
    readonly name: string
    /** Place of a follow-up before it in the list; -1: the batch itself. */
    readonly from: number
    readonly output: string
  }[]
  readonly outputNames: readonly string[]
}

/** What a follow-up gave. */
export interface FollowUpResult {
  readonly outputs: readonly OutputTensor[]
  readonly inputNs: number
  readonly inferNs: number
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
      /** Of the first ones, up to one that failed. */
      readonly followUps: readonly FollowUpResult[]
      readonly followUpsNs: number
    }
  | { readonly kind: 'attached'; readonly key: number }
  /** The run failed; the instance goes on. */
  | { readonly kind: 'run-failed'; readonly message: string }
