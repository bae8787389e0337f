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
import { StreamOutbox } from './stream-outbox.ts'
import type { MeasuredReply, SendReply } from './stream-outbox.ts'

type Message = Readonly<Record<string, unknown>>

/** One stream of requests and answers. */
export interface StreamCall {
  readonly signal: AbortSignal
  /** The first failure ends the stream with its status, instead of being told in a message. */
  readonly wantsStatus: boolean
  readonly onRequest: (take: (request: Message) => void) => void
  readonly onEnd: (take: () => void) => void
  /** Stops and goes on taking requests from the socket. */
  readonly pause: () => void
  readonly resume: () => void
  readonly send: SendReply
  readonly end: () => void
  readonly fail: (error: ServingError) => void
}

/** What inference over gRPC needs. */
export interface InferServices {
  readonly server: InferenceServer
  readonly regions: SharedRegions
  readonly tracing: Tracing
  /** How many bytes of replies a client may leave unread before its stream is broken off. */
  readonly unreadBytesMax: number
}

const SHUTTING_DOWN =
  'GRPC server is shutting down and has stopped accepting new inference requests.'

// What a reply takes beside its tensors, about.
const REPLY_BYTES = 512

interface Place {
  readonly replies: MeasuredReply[]
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
  readonly #places = new Set<Place>()
  readonly #outbox: StreamOutbox
  /** Breaks off what is still computed when the stream is. */
  readonly #abandoned = new AbortController()
  readonly #signal: AbortSignal
  /** Bytes of replies that wait for those before them. */
  #heldBytes = 0
  #openCount = 0
  #hasEnded = false
  #isShuttingDown = false
  #isClosed = false
  #isPaused = false

  constructor(services: InferServices, call: StreamCall) {
    this.#services = services
    this.#call = call
    this.#signal = AbortSignal.any([call.signal, this.#abandoned.signal])
    this.#outbox = new StreamOutbox(call.send, () => this.#pace())
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
      if (entry.place !== undefined) this.#places.add(entry.place)
      this.#fail(entry, toServingError(error))
    }
  }

  #submit(request: Message, entry: Entry, receivedNs: number): void {
    const { server, regions, tracing } = this.#services
    const message = readInferRequest(request, regions)
    const served = server.repository.find(message.modelName, message.version)
    if (served.config.isDecoupled) entry.place = undefined
    else if (entry.place !== undefined) this.#places.add(entry.place)
    entry.shared = new SharedOutputs(regions, message.sharedOutputs)
    const trace = sampleGrpc(tracing, served, receivedNs)
    entry.trace = trace
    submit(
      served,
      { ...message, signal: this.#signal, trace },
      {
        respond: (response, isFinal) => {
          if (entry.isOver) return
          try {
            entry.shared?.write(response.outputs)
            const reply = toStreamReply(message, served, { response, isFinal })
            const startNs = nowNs()
            const bytes = response.outputs.reduce((sum, { data }) => sum + data.byteLength, 0)
            this.#deliver(entry.place, reply && { reply, bytes: REPLY_BYTES + bytes }, isFinal)
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
    if (this.#call.wantsStatus) return this.#close(() => this.#call.fail(error))
    const reply = { error_message: error.message, infer_response: { id: entry.id } }
    this.#deliver(entry.place, { reply, bytes: REPLY_BYTES + error.message.length }, true)
  }

  #deliver(place: Place | undefined, measured: MeasuredReply | undefined, isFinal: boolean): void {
    if (isFinal) this.#openCount -= 1
    if (place === undefined) {
      if (measured !== undefined) this.#send(measured)
    } else {
      if (measured !== undefined) {
        place.replies.push(measured)
        this.#heldBytes += measured.bytes
      }
      place.isOver ||= isFinal
      this.#release()
    }
    this.#pace()
    this.#endWhenDone()
  }

  #release(): void {
    for (const place of this.#places) {
      for (const measured of place.replies.splice(0)) {
        this.#heldBytes -= measured.bytes
        this.#send(measured)
      }
      if (!place.isOver) return
      this.#places.delete(place)
    }
  }

  // One reply is taken however large it is.
  #send(measured: MeasuredReply): void {
    if (this.#isClosed || this.#call.signal.aborted) return
    const { unreadBytesMax } = this.#services
    const { unreadBytes } = this.#outbox
    if (unreadBytes <= unreadBytesMax) return this.#outbox.add(measured)
    const unread = `the client has left ${unreadBytes} bytes of replies unread`
    const limit = `--stream-unread-bytes is ${unreadBytesMax}`
    this.#outbox.drop()
    this.#close(() => this.#call.fail(new ServingError('UNAVAILABLE', `${unread}; ${limit}`)))
    this.#abandoned.abort()
  }

  // A client that reads slowly is asked for fewer requests long before its replies are too many.
  #pace(): void {
    const bytes = this.#outbox.unreadBytes + this.#heldBytes
    const isSlow = bytes > this.#services.unreadBytesMax / 2
    if (isSlow === this.#isPaused) return
    this.#isPaused = isSlow
    if (isSlow) this.#call.pause()
    else this.#call.resume()
  }

  #endWhenDone(): void {
    if (this.#openCount > 0 || this.#isClosed) return
    const { end, fail } = this.#call
    if (this.#hasEnded) this.#close(end)
    else if (this.#isShuttingDown) {
      this.#close(() => fail(new ServingError('UNAVAILABLE', SHUTTING_DOWN)))
    }
  }

  /** Sends nothing more than what it has, and then the end. */
  #close(end: () => void): void {
    this.#isClosed = true
    this.#outbox.whenEmpty(end)
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
