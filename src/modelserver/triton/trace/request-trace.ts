import type { Tensor } from '../../../wire/oip/tensor.ts'
import type { ExecutionTimes } from '../backend.ts'
import { tensorText } from './tensor-text.ts'
import type { TraceLevel } from './trace-settings.ts'

/** What a trace is made with. */
export interface TraceSink {
  readonly levels: readonly TraceLevel[]
  readonly nextId: () => number
  /** Takes the records of one trace, as JSON with commas between them. */
  readonly write: (records: string) => void
}

/** Which request is traced. */
export interface TracedRequest {
  readonly modelName: string
  readonly version: number
  /** Empty for none. */
  readonly requestId: string
}

/**
 * What happened to one request, and when. It is written when everyone who holds it has let go.
 *
 * Source of names and forms: tritonserver 2.51 with `--trace-config=level=TIMESTAMPS,TENSORS`.
 */
export class RequestTrace {
  readonly id: number
  readonly #sink: TraceSink
  readonly #parentId: number | undefined
  readonly #records: string[] = []
  #holderCount = 0

  constructor(sink: TraceSink, parentId?: number) {
    this.#sink = sink
    this.id = sink.nextId()
    this.#parentId = parentId
  }

  /** A trace for a step of this request. */
  createChild(): RequestTrace {
    return new RequestTrace(this.#sink, this.id)
  }

  hold(): void {
    this.#holderCount += 1
  }

  release(): void {
    this.#holderCount -= 1
    if (this.#holderCount === 0) this.#sink.write(this.#records.join(','))
  }

  recordRequest({ modelName, version, requestId }: TracedRequest): void {
    this.#add({
      model_name: modelName,
      model_version: version,
      ...(requestId !== '' && { request_id: requestId }),
      ...(this.#parentId !== undefined && { parent_id: this.#parentId }),
    })
  }

  recordTime(name: string, ns: number): void {
    if (!this.#sink.levels.includes('TIMESTAMPS')) return
    this.#add({ timestamps: [{ name, ns: Math.round(ns) }] })
  }

  recordExecution(times: ExecutionTimes): void {
    this.recordTime('COMPUTE_START', times.computeStartNs)
    this.recordTime('COMPUTE_INPUT_END', times.inputEndNs)
    this.recordTime('COMPUTE_OUTPUT_START', times.outputStartNs)
    this.recordTime('COMPUTE_END', times.computeEndNs)
  }

  recordTensors(
    activity: 'TENSOR_QUEUE_INPUT' | 'TENSOR_BACKEND_OUTPUT',
    tensors: readonly Tensor[],
  ): void {
    if (!this.#sink.levels.includes('TENSORS')) return
    for (const tensor of tensors) {
      const { name, shape, datatype } = tensor
      const shown = { name, data: tensorText(tensor), shape: shape.join(','), dtype: datatype }
      this.#add({ activity, tensor: shown })
    }
  }

  #add(record: Readonly<Record<string, unknown>>): void {
    this.#records.push(JSON.stringify({ id: this.id, ...record }))
  }
}
