import type { SequenceStrategy } from '../../domain/sequence-batch.ts'
import type { Datatype } from '../../wire/oip/tensor.ts'

/** An input that says of a request whether it starts or ends its sequence, or is one at all. */
export interface FlagControl {
  readonly kind: 'start' | 'end' | 'ready'
  readonly name: string
  readonly datatype: 'INT32' | 'FP32' | 'BOOL'
  /** What stands for no, and what for yes. */
  readonly falseTrue: readonly [number, number]
}

/** The input that says which sequence a request belongs to. */
export interface CorrelationControl {
  readonly name: string
  readonly datatype: Datatype
}

/** What a state is before the first request of a sequence. */
export interface InitialState {
  readonly dims: readonly number[]
  /** Zeros, or the bytes of a file in the folder `initial_state`. */
  readonly content: 'zeros' | { readonly file: string }
}

/** A tensor that goes from one request of a sequence to the next through the server. Dims are without the batch. */
export interface SequenceState {
  readonly inputName: string
  readonly outputName: string
  readonly datatype: Datatype
  readonly dims: readonly number[]
  /** Undefined: zeros, open dimensions of size 1. */
  readonly initial: InitialState | undefined
  /** Wishes for the device memory that a state is in. They change no answer, and states are in main memory here. */
  readonly memoryHints: readonly string[]
}

/** How a model's sequences are run. */
export interface SequenceBatching {
  readonly strategy: SequenceStrategy
  /** Sequences that one instance has at a time. */
  readonly slotCount: number
  readonly idleMs: number
  readonly flags: readonly FlagControl[]
  readonly correlation: CorrelationControl | undefined
  readonly states: readonly SequenceState[]
}
