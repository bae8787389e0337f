import type { InferenceServer } from '../inference-server.ts'
import { submit } from '../served-version.ts'
import type { ServedVersion } from '../served-version.ts'
import { toServingError } from '../serving-error.ts'
import type { ServingError } from '../serving-error.ts'
import type { InferenceResponse } from '../backend.ts'
import { readInferRequest, toInferResponse } from './infer-message.ts'
import type { InferMessage } from './infer-message.ts'

type Message = Readonly<Record<string, unknown>>

/** One stream of requests and answers. */
export interface StreamCall {
  readonly signal: AbortSignal
  /** The first failure ends the stream with its status, instead of being told in a message. */
  readonly wantsStatus: boolean
  readonly onRequest: (take: (request: Message) => void) => void
  readonly onEnd: (take: () => void) => void
  readonly write: (reply: Message) => void
  readonly end: () => void
  readonly fail: (error: ServingError) => void
}

interface Place {
  readonly replies: Message[]
  isOver: boolean
}

/**
 * Answers the requests of a stream: those of ordinary models in the order in which they came, those of decoupled ones as
 * the answers come. Ends when the client has and everything is answered.
 */
export class InferStream {
  readonly #server: InferenceServer
  readonly #call: StreamCall
  readonly #places: Place[] = []
  #openCount = 0
  #hasEnded = false
  #isClosed = false

  constructor(server: InferenceServer, call: StreamCall) {
    this.#server = server
    this.#call = call
    call.onRequest((request) => this.#take(request))
    call.onEnd(() => {
      this.#hasEnded = true
      this.#endWhenDone()
    })
  }

  #take(request: Message): void {
    this.#openCount += 1
    let place: Place | undefined = { replies: [], isOver: false }
    const id = typeof request['id'] === 'string' ? request['id'] : ''
    try {
      const message = readInferRequest(request)
      const served = this.#server.repository.find(message.modelName, message.version)
      if (served.config.isDecoupled) place = undefined
      else this.#places.push(place)
      const incoming = { ...message, signal: this.#call.signal }
      submit(served, incoming, {
        respond: (response, isFinal) => {
          const reply = toStreamReply(message, served, response, isFinal)
          this.#deliver(place, reply, isFinal)
        },
        fail: (error) => this.#fail(place, id, error),
      })
    } catch (error) {
      if (place !== undefined && !this.#places.includes(place)) this.#places.push(place)
      this.#fail(place, id, toServingError(error))
    }
  }

  #fail(place: Place | undefined, id: string, error: ServingError): void {
    if (this.#isClosed) return
    if (this.#call.wantsStatus) {
      this.#isClosed = true
      this.#call.fail(error)
      return
    }
    this.#deliver(place, { error_message: error.message, infer_response: { id } }, true)
  }

  #deliver(place: Place | undefined, reply: Message | undefined, isFinal: boolean): void {
    if (isFinal) this.#openCount -= 1
    if (place === undefined) {
      if (reply !== undefined) this.#write(reply)
    } else {
      if (reply !== undefined) place.replies.push(reply)
      place.isOver ||= isFinal
      this.#release()
    }
    this.#endWhenDone()
  }

  #release(): void {
    for (;;) {
      const [first] = this.#places
      if (first === undefined) return
      for (const reply of first.replies.splice(0)) this.#write(reply)
      if (!first.isOver) return
      this.#places.shift()
    }
  }

  #write(reply: Message): void {
    if (!this.#isClosed && !this.#call.signal.aborted) this.#call.write(reply)
  }

  #endWhenDone(): void {
    if (!this.#hasEnded || this.#openCount > 0 || this.#isClosed) return
    this.#isClosed = true
    this.#call.end()
  }
}

// An answer that only says that there are no more goes to those alone that asked for it.
function toStreamReply(
  message: InferMessage,
  served: ServedVersion,
  response: InferenceResponse,
  isFinal: boolean,
): Message | undefined {
  if (response.outputs.length === 0 && isFinal && !message.wantsEmptyFinal) return undefined
  const parameters = new Map([...(response.parameters ?? []), ['triton_final_response', isFinal]])
  const reply = toInferResponse(message, served, { ...response, parameters })
  return { error_message: '', infer_response: reply }
}
