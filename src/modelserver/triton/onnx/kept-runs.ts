import type { FollowUpModel, InferenceRequest, KeptRun } from '../backend.ts'
import type { AttachableData, OutputTensor } from './instance-messages.ts'

/**
 * What a model gave in the threads of other models, before anyone asked for it. A run is found by the memory of its inputs and
 * is forgotten together with it.
 */
export class KeptRuns implements FollowUpModel {
  readonly data: AttachableData
  readonly #runs = new WeakMap<ArrayBuffer, KeptRun>()
  readonly #closings = new Set<() => void>()

  constructor(data: AttachableData) {
    this.data = data
  }

  keep(run: KeptRun): void {
    const [first] = run.inputs
    if (first !== undefined) this.#runs.set(first.data.buffer, run)
  }

  hasKept({ inputs }: Pick<InferenceRequest, 'inputs'>): boolean {
    const buffer = inputs[0]?.data.buffer
    return buffer instanceof ArrayBuffer && this.#runs.has(buffer)
  }

  onClose(run: () => void): () => void {
    this.#closings.add(run)
    return () => this.#closings.delete(run)
  }

  close(): void {
    for (const run of this.#closings) run()
    this.#closings.clear()
  }

  /** Finds the run of a batch of requests that are the rows of its inputs, all of them and in their order. */
  find(requests: readonly InferenceRequest[]): KeptRun | undefined {
    const buffer = requests[0]?.inputs[0]?.data.buffer
    const run = buffer instanceof ArrayBuffer ? this.#runs.get(buffer) : undefined
    if (run === undefined) return undefined
    const { inputs, outputs } = run
    if (!inputs.every((input) => isWhole(input, requests))) return undefined
    const isKnown = requests.every(
      (request) =>
        request.inputs.length === inputs.length &&
        request.requestedOutputs.every((name) => outputs.some((output) => output.name === name)),
    )
    return isKnown ? run : undefined
  }
}

function isWhole(
  { name, datatype, shape, data }: OutputTensor,
  requests: readonly InferenceRequest[],
): boolean {
  let offset = data.byteOffset
  let rowCount = 0
  for (const { inputs } of requests) {
    const part = inputs.find((input) => input.name === name)
    if (part === undefined || part.datatype !== datatype) return false
    if (part.data.buffer !== data.buffer || part.data.byteOffset !== offset) return false
    const isOfShape =
      part.shape.length === shape.length &&
      part.shape.every((dim, axis) => (axis === 0 && requests.length > 1) || dim === shape[axis])
    if (!isOfShape) return false
    offset += part.data.byteLength
    rowCount += part.shape[0] ?? 1
  }
  return (
    offset === data.byteOffset + data.byteLength && (requests.length === 1 || rowCount === shape[0])
  )
}
