import type { InferenceRequest } from '../backend.ts'
import { ServingError } from '../serving-error.ts'
import type { ModelAnswer } from './messages.ts'

/** What an open request needs of its instance. */
export interface OpenRequestOptions {
  readonly number: number
  readonly request: InferenceRequest
  readonly isDecoupled: boolean
  readonly onCancel: (number: number) => void
  readonly onOver: (number: number) => void
}

/** A request that a model has and has not answered to the end. */
export class OpenRequest {
  readonly #options: OpenRequestOptions
  readonly #onAbort: () => void
  #isOver = false

  constructor(options: OpenRequestOptions) {
    this.#options = options
    const { number, request, onCancel } = options
    this.#onAbort = () => onCancel(number)
    request.signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  get request(): InferenceRequest {
    return this.#options.request
  }

  get number(): number {
    return this.#options.number
  }

  /** Passes an answer on. A model that is not decoupled has given its only one with its first. */
  answer(answer: ModelAnswer, isFinal: boolean): void {
    if (this.#isOver) return
    if (answer instanceof ServingError) {
      // A decoupled model may go on after an error, but nobody would hear of it.
      return this.fail(answer)
    }
    const isLast = isFinal || !this.#options.isDecoupled
    if (isLast) this.#end()
    this.request.respond(answer, isLast)
  }

  fail(error: unknown): void {
    if (this.#isOver) return
    this.#end()
    this.request.fail(error)
  }

  #end(): void {
    this.#isOver = true
    this.request.signal.removeEventListener('abort', this.#onAbort)
    this.#options.onOver(this.number)
  }
}
