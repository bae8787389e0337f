import { Server, ServerCredentials } from '@grpc/grpc-js'
import type { ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js'
import type { Log } from '../../log.ts'
import { readMessage, toStatus, toStream, toUnary } from './call-forms.ts'
import type { OnAnswered, UnaryMethod, WatchStream } from './call-forms.ts'
import { HealthWatch } from './health-watch.ts'
import type { InferStream, StreamCall } from './infer-stream.ts'
import { loadProtocol } from './load-protocol.ts'
import { Reflection } from './reflection.ts'

/** What answers the calls of a service, by the names of its methods. */
export interface GrpcMethods {
  readonly unary: Readonly<Record<string, UnaryMethod>>
  readonly stream: (call: StreamCall) => InferStream
  readonly isReady: () => boolean
}

// Source: reference §11.2, the limit of Triton; the library's own is 4 MiB.
const MESSAGE_BYTES_MAX = 2 ** 31 - 1

const OLDER_REFLECTION = '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo'

/** Serves the inference protocol, and those of health and reflection, over gRPC. */
export class GrpcFront {
  readonly #server = new Server({
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
  })
  readonly #streams = new Set<InferStream>()
  readonly #health: HealthWatch

  constructor(methods: GrpcMethods, log: Log) {
    const inference = loadProtocol('inference.proto', 'inference.GRPCInferenceService')
    const health = loadProtocol('health.proto', 'grpc.health.v1.Health')
    const reflection = loadProtocol('reflection.proto', 'grpc.reflection.v1.ServerReflection')
    const onAnswered: OnAnswered = (method, code) => log('debug', 'call answered', { method, code })
    const implementation: UntypedServiceImplementation = {
      ModelStreamInfer: (call: ServerDuplexStream<unknown, unknown>) => {
        const stream = methods.stream(toStream(call))
        this.#streams.add(stream)
        call.on('close', () => this.#streams.delete(stream))
      },
    }
    for (const [name, method] of Object.entries(methods.unary)) {
      implementation[name] = toUnary(name, method, onAnswered)
    }
    this.#server.addService(inference.service, implementation)
    this.#health = new HealthWatch(methods.isReady)
    this.#server.addService(health.service, {
      Check: toUnary('Check', () => this.#health.status(), onAnswered),
      Watch: (watcher: WatchStream) => this.#health.add(watcher),
    })
    const ServerReflectionInfo = reflect(new Reflection([inference, health, reflection]))
    const { ServerReflectionInfo: method } = reflection.service
    if (method === undefined) throw new Error('reflection.proto has no ServerReflectionInfo.')
    this.#server.addService(reflection.service, { ServerReflectionInfo })
    const older = { ServerReflectionInfo: { ...method, path: OLDER_REFLECTION } }
    this.#server.addService(older, { ServerReflectionInfo })
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

  /** Takes no more calls and requests; resolves when those that came have been answered. */
  close(): Promise<void> {
    this.#health.close()
    for (const stream of this.#streams) stream.shutDown()
    return new Promise((resolve) => this.#server.tryShutdown(() => resolve()))
  }
}

function reflect(reflection: Reflection) {
  return (call: ServerDuplexStream<unknown, unknown>): void => {
    call.on('data', (request: unknown) => {
      try {
        call.write(reflection.answer(readMessage(request)))
      } catch (error) {
        call.emit('error', toStatus(error))
      }
    })
    call.on('end', () => call.end())
    call.on('error', () => undefined)
  }
}
