import type {
  sendUnaryData,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  status,
} from '@grpc/grpc-js'
import { OIP_ERRORS } from '../../../wire/oip/errors.ts'
import { nowNs } from '../clock.ts'
import { read } from '../json-reader.ts'
import { ServingError, toServingError } from '../serving-error.ts'
import { FIELDS_MAX } from './decide-message.ts'
import type { StreamCall } from './infer-stream.ts'
import { CROWDED, MALFORMED } from './load-protocol.ts'

/** Fields of a message by their names in the protocol. */
export type Message = Readonly<Record<string, unknown>>

/** What is known of a call beside its request. */
export interface UnaryCall {
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal
  /** When its request was here, in nanoseconds of the monotonic clock. */
  readonly receivedNs: number
  /** Calls back when the answer has been handed over. */
  readonly onSent: (take: (startNs: number, endNs: number) => void) => void
}

/** Answers one request. */
export type UnaryMethod = (request: Message, call: UnaryCall) => Message | Promise<Message>

/** Told of each call that has been answered; `code` is 0 when it went well. */
export type OnAnswered = (method: string, code: number) => void

/** The form in which the library wants a method with one request and one answer. */
export function toUnary(name: string, method: UnaryMethod, onAnswered: OnAnswered) {
  return (call: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>): void => {
    const client = new AbortController()
    call.on('cancelled', () => client.abort())
    let whenSent: ((startNs: number, endNs: number) => void) | undefined
    const about: UnaryCall = {
      signal: client.signal,
      receivedNs: nowNs(),
      onSent: (take) => (whenSent = take),
    }
    const run = async (): Promise<Message> => method(readMessage(call.request), about)
    run()
      .then(
        (reply) => {
          const startNs = nowNs()
          answer(null, reply)
          whenSent?.(startNs, nowNs())
          onAnswered(name, 0)
        },
        (error: unknown) => {
          const failure = toStatus(error)
          answer(failure)
          onAnswered(name, failure.code)
        },
      )
      .catch((error: unknown) => answer(toStatus(error)))
  }
}

/**
 * A request as the library has read it.
 *
 * @throws ServingError INTERNAL: it is no message of its type; INVALID_ARG: it has too many fields.
 */
export function readMessage(request: unknown): Message {
  if (request === MALFORMED) throw new ServingError('INTERNAL', 'Unable to parse request')
  if (request === CROWDED) {
    const expected = `more than ${FIELDS_MAX} fields and dimensions beside the contents of tensors`
    throw new ServingError('INVALID_ARG', `request has ${expected}`)
  }
  return read.object(request)
}

/** A failure as gRPC has it. */
export function toStatus(error: unknown): { readonly code: status; readonly details: string } {
  const { code, message } = toServingError(error)
  return { code: OIP_ERRORS[code].grpcStatus, details: message }
}

/** A stream of requests and answers, as the protocol's code sees it. */
export function toStream(call: ServerDuplexStream<unknown, unknown>): StreamCall {
  const client = new AbortController()
  call.on('cancelled', () => client.abort())
  call.on('error', () => client.abort())
  const fail = (error: unknown): void => void call.emit('error', toStatus(error))
  return {
    signal: client.signal,
    wantsStatus: call.metadata.get('triton_grpc_error')[0] === 'true',
    onRequest: (take) =>
      call.on('data', (request: unknown) => {
        try {
          take(readMessage(request))
        } catch (error) {
          fail(error)
        }
      }),
    onEnd: (take) => call.on('end', take),
    pause: () => void call.pause(),
    resume: () => void call.resume(),
    send: (reply, onTaken) => void call.write(reply, onTaken),
    end: () => call.end(),
    fail,
  }
}

/** A stream that the server alone writes to. */
export type WatchStream = ServerWritableStream<unknown, unknown>
