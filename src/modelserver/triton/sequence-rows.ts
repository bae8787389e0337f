import type { SequenceRow } from '../../domain/sequence-batch.ts'
import type { Sequence } from '../../domain/sequence-line.ts'
import type { Tensor } from '../../wire/oip/tensor.ts'
import type { InferenceResponse } from './backend.ts'
import type { Enqueued } from './enqueued.ts'
import type { BatchEntry } from './run-batch.ts'
import type { SequenceBatching } from './sequence-batching.ts'
import { controlInputs, emptyLike, NOT_READY } from './sequence-tensors.ts'

/** What filling the rows of a batch needs to know of its model. */
export interface SequenceRowsOptions {
  readonly batching: SequenceBatching
  readonly maxBatchSize: number
  /** State inputs of the first request of a sequence. */
  readonly initialStates: readonly Tensor[]
}

interface TakenRequest {
  readonly item: { readonly request: Enqueued; readonly queueStartNs: number }
  readonly sequence: Sequence
}

/** Makes requests of sequences into rows of a batch, with their control inputs, and keeps the states between them. */
export class SequenceRows {
  readonly #options: SequenceRowsOptions
  readonly #stateOutputs: readonly string[]
  /** State inputs of the next request; gone with their sequence. */
  readonly #states = new WeakMap<Sequence, readonly Tensor[]>()

  constructor(options: SequenceRowsOptions) {
    this.#options = options
    this.#stateOutputs = options.batching.states.map(({ outputName }) => outputName)
  }

  /** @param taken the requests of the rows that are ready, in their order. */
  fill(rows: readonly SequenceRow[], taken: readonly TakenRequest[]): readonly BatchEntry[] {
    const waiting = taken.map((one) => this.#entryOf(one))
    const [first] = waiting
    if (first === undefined) return []
    let filler: BatchEntry | undefined
    return rows.flatMap(({ isReady }) =>
      isReady ? (waiting.shift() ?? []) : (filler ??= this.#fillerLike(first)),
    )
  }

  #entryOf({ item, sequence }: TakenRequest): BatchEntry {
    const { request, queueStartNs } = item
    const { batching, maxBatchSize, initialStates } = this.#options
    const { correlationId, isSequenceStart: isStart, isSequenceEnd: isEnd } = request
    const known = isStart ? undefined : this.#states.get(sequence)
    const states = known ?? initialStates
    this.#states.set(sequence, states)
    const controls = { isReady: true, isStart, isEnd, correlationId }
    return {
      queueStartNs,
      request: {
        ...request,
        inputs: [
          ...request.inputs,
          ...controlInputs(batching, controls, maxBatchSize > 0),
          ...states,
        ],
        requestedOutputs: [...new Set([...request.requestedOutputs, ...this.#stateOutputs])],
        respond: (response, isFinal) => {
          this.#keepStates(sequence, response)
          request.respond(this.#withoutStates(request, response), isFinal)
        },
      },
    }
  }

  #keepStates(sequence: Sequence, { outputs }: InferenceResponse): void {
    const before = this.#states.get(sequence) ?? []
    const after = this.#options.batching.states.flatMap(({ inputName, outputName }) => {
      const output = outputs.find(({ name }) => name === outputName)
      // A view would keep the memory of its whole batch.
      if (output !== undefined) return { ...output, name: inputName, data: output.data.slice() }
      return before.find(({ name }) => name === inputName) ?? []
    })
    this.#states.set(sequence, after)
  }

  #withoutStates({ requestedOutputs }: Enqueued, response: InferenceResponse): InferenceResponse {
    if (this.#stateOutputs.length === 0) return response
    const outputs = response.outputs.filter(({ name }) => requestedOutputs.includes(name))
    return { ...response, outputs }
  }

  // The model is told that it is not ready, so nothing else of it has a meaning but its shapes.
  #fillerLike({ request, queueStartNs }: BatchEntry): BatchEntry {
    const { batching, maxBatchSize } = this.#options
    const controls = controlInputs(batching, NOT_READY, maxBatchSize > 0)
    const others = request.inputs.filter(({ name }) => controls.every((one) => one.name !== name))
    return {
      queueStartNs,
      isFiller: true,
      request: {
        ...request,
        id: '',
        inputs: [...others.map(emptyLike), ...controls],
        correlationId: 0n,
        isSequenceStart: false,
        isSequenceEnd: false,
        onExecuted: undefined,
        respond: () => undefined,
        fail: () => undefined,
      },
    }
  }
}
