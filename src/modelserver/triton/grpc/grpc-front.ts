import { fileURLToPath } from 'node:url'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import type {
  sendUnaryData,
  ServerDuplexStream,
  ServerUnaryCall,
  status,
  UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { AnyDefinition, ServiceDefinition } from '@grpc/proto-loader'
import { OIP_ERRORS } from '../../../wire/oip/errors.ts'
import { read } from '../json-reader.ts'
import { toServingError } from '../serving-error.ts'
import type { ServingError } from '../serving-error.ts'
import type { StreamCall } from './infer-stream.ts'

/** Fields of a message by their names in the protocol. */
export type Message = Readonly<Record<string, unknown>>

/** What answers the calls of a service, by the names of its methods. */
export interface GrpcMethods {
  readonly unary: Readonly<
    Record<string, (request: Message, signal: AbortSignal) => Message | Promise<Message>>
  >
  readonly stream: (call: StreamCall) => void
  readonly isReady: () => boolean
}

// Source: reference §11.2, the limit of Triton; the library's own is 4 MiB.
const MESSAGE_BYTES_MAX = 2 ** 31 - 1

/** Serves the inference protocol and the health protocol over gRPC. */
export class GrpcFront {
  readonly #server = new Server({
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
  })

  constructor(methods: GrpcMethods) {
    const inference = serviceOf('inference.proto', 'inference.GRPCInferenceService')
    const implementation: UntypedServiceImplementation = {
      ModelStreamInfer: (call: ServerDuplexStream<unknown, unknown>) =>
        methods.stream(toStream(call)),
    }
    for (const [name, method] of Object.entries(methods.unary)) {
      implementation[name] = unary(method)
    }
    this.#server.addService(inference, implementation)
    this.#server.addService(serviceOf('health.proto', 'grpc.health.v1.Health'), {
      Check: unary(() => ({ status: methods.isReady() ? 'SERVING' : 'NOT_SERVING' })),
    })
  }

  /** @returns the port. @throws Error it cannot listen. */
  listen(address: string, port: number): Promise<number> {
    const host = address.includes(':') ? `[${address}]` : address
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(
        `${host}:${port}`,
        ServerCredentials.createInsecure(),
        (error, bound) => (error === null ? resolve(bound) : reject(error)),
      )
    })
  }

  /** Takes no more calls; resolves when those that came have been answered. */
  close(): Promise<void> {
    return new Promise((resolve) => this.#server.tryShutdown(() => resolve()))
  }
}

function serviceOf(file: string, name: string): ServiceDefinition {
  const definitions = loadSync(fileURLToPath(new URL(`./${file}`, import.meta.url)), {
    includeDirs: [fileURLToPath(new URL('.', import.meta.url))],
    keepCase: true,
    // Numbers would lose the last digits of large ones.
    longs: String,
    enums: String,
    oneofs: true,
    arrays: true,
  })
  const definition = definitions[name]
  if (definition === undefined || !isService(definition)) throw new Error(`${file} has no ${name}.`)
  return definition
}

function isService(definition: AnyDefinition): definition is ServiceDefinition {
  return !('format' in definition)
}

function unary(method: (request: Message, signal: AbortSignal) => Message | Promise<Message>) {
  return (call: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>): void => {
    const client = new AbortController()
    call.on('cancelled', () => client.abort())
    const run = async (): Promise<Message> => method(read.object(call.request), client.signal)
    run().then(
      (reply) => answer(null, reply),
      (error: unknown) => answer(toStatus(error)),
    )
  }
}

/** A failure as gRPC has it. */
export function toStatus(error: unknown): { readonly code: status; readonly details: string } {
  const { code, message } = toServingError(error)
  return { code: OIP_ERRORS[code].grpcStatus, details: message }
}

function toStream(call: ServerDuplexStream<unknown, unknown>): StreamCall {
  const client = new AbortController()
  call.on('cancelled', () => client.abort())
  call.on('error', () => client.abort())
  return {
    signal: client.signal,
    wantsStatus: call.metadata.get('triton_grpc_error')[0] === 'true',
    onRequest: (take) => call.on('data', (request: unknown) => take(read.object(request))),
    onEnd: (take) => call.on('end', take),
    write: (reply) => void call.write(reply),
    end: () => call.end(),
    fail: (error: ServingError) => void call.emit('error', toStatus(error)),
  }
}
