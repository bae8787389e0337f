import type { InferenceServer } from '../inference-server.ts'
import { submit } from '../served-version.ts'
import type { ServedVersion } from '../served-version.ts'
import { ServingError, toServingError } from '../serving-error.ts'
import { SharedOutputs } from '../shared-memory/shared-outputs.ts'
import type { InferenceResponse } from '../backend.ts'
import { nowNs } from '../clock.ts'
import type { SharedRegions } from '../shared-memory/shared-regions.ts'
import type { RequestTrace } from '../trace/request-trace.ts'
import type { Tracing } from '../trace/tracing.ts'
import { recordSent, sampleGrpc } from './grpc-trace.ts'
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

/** What inference over gRPC needs. */
export interface InferServices {
  readonly server: InferenceServer
  readonly regions: SharedRegions
  readonly tracing: Tracing
}

const SHUTTING_DOWN =
  'GRPC server is shutting down and has stopped accepting new inference requests.'

interface Place {
  readonly replies: Message[]
  isOver: boolean
}

/** A request of the stream, while it is answered. */
interface Entry {
  readonly id: string
  /** Undefined when its answers go out as they come. */
  place: Place | undefined
  shared?: SharedOutputs
  trace?: RequestTrace | undefined
  isOver: boolean
}

function leave(entry: Entry): void {
  entry.isOver = true
  entry.shared?.[Symbol.dispose]()
  entry.trace?.release()
}

/**
 * Answers the requests of a stream: those of ordinary models in the order in which they came, those of decoupled ones as
 * the answers come. Ends when the client has and everything is answered.
 */
export class InferStream {
  readonly #services: InferServices
  readonly #call: StreamCall
  readonly #places: Place[] = []
  #openCount = 0
  #hasEnded = false
  #isShuttingDown = false
  #isClosed = false

  constructor(services: InferServices, call: StreamCall) {
    this.#services = services
    this.#call = call
    call.onRequest((request) => this.#take(request))
    call.onEnd(() => {
      this.#hasEnded = true
      this.#endWhenDone()
    })
  }

  /** Answers what it has taken, takes no more, and ends with the reason. */
  shutDown(): void {
    this.#isShuttingDown = true
    this.#endWhenDone()
  }

  #take(request: Message): void {
    if (this.#isShuttingDown) return
    this.#openCount += 1
    const id = typeof request['id'] === 'string' ? request['id'] : ''
    const entry: Entry = { id, place: { replies: [], isOver: false }, isOver: false }
    try {
      this.#submit(request, entry, nowNs())
    } catch (error) {
      if (entry.place !== undefined && !this.#places.includes(entry.place)) {
        this.#places.push(entry.place)
      }
      this.#fail(entry, toServingError(error))
    }
  }

  #submit(request: Message, entry: Entry, receivedNs: number): void {
    const { server, regions, tracing } = this.#services
    const message = readInferRequest(request, regions)
    const served = server.repository.find(message.modelName, message.version)
    if (served.config.isDecoupled) entry.place = undefined
    else if (entry.place !== undefined) this.#places.push(entry.place)
    entry.shared = new SharedOutputs(regions, message.sharedOutputs)
    const trace = sampleGrpc(tracing, served, receivedNs)
    entry.trace = trace
    submit(
      served,
      { ...message, signal: this.#call.signal, trace },
      {
        respond: (response, isFinal) => {
          if (entry.isOver) return
          try {
            entry.shared?.write(response.outputs)
            const reply = toStreamReply(message, served, { response, isFinal })
            const startNs = nowNs()
            this.#deliver(entry.place, reply, isFinal)
            recordSent(trace, startNs, nowNs())
            if (isFinal) leave(entry)
          } catch (error) {
            this.#fail(entry, toServingError(error))
          }
        },
        fail: (error) => this.#fail(entry, error),
      },
    )
  }

  #fail(entry: Entry, error: ServingError): void {
    if (entry.isOver) return
    leave(entry)
    if (this.#isClosed) return
    if (this.#call.wantsStatus) {
      this.#isClosed = true
      this.#call.fail(error)
      return
    }
    const reply = { error_message: error.message, infer_response: { id: entry.id } }
    this.#deliver(entry.place, reply, true)
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
    if (this.#openCount > 0 || this.#isClosed) return
    if (this.#hasEnded) this.#call.end()
    else if (this.#isShuttingDown) this.#call.fail(new ServingError('UNAVAILABLE', SHUTTING_DOWN))
    else return
    this.#isClosed = true
  }
}

// An answer that only says that there are no more goes to those alone that asked for it.
function toStreamReply(
  message: InferMessage,
  served: ServedVersion,
  { response, isFinal }: { readonly response: InferenceResponse; readonly isFinal: boolean },
): Message | undefined {
  if (response.outputs.length === 0 && isFinal && !message.wantsEmptyFinal) return undefined
  const parameters = new Map([...(response.parameters ?? []), ['triton_final_response', isFinal]])
  const reply = toInferResponse(message, served, { ...response, parameters })
  return { error_message: '', infer_response: reply }
}
