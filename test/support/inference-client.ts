import { promisify } from 'node:util'

import { credentials, makeClientConstructor } from '@grpc/grpc-js'
import type { Client } from '@grpc/grpc-js'

import { loadProtocol } from '../../src/modelserver/triton/grpc/load-protocol.ts'

const { service } = loadProtocol('inference.proto', 'inference.GRPCInferenceService')
const Connection = makeClientConstructor(service, 'inference')

/** Calls of the inference protocol over gRPC, all on one connection. */
export class InferenceClient implements Disposable {
  readonly #client: Client

  constructor(port: number) {
    this.#client = new Connection(`127.0.0.1:${port}`, credentials.createInsecure())
  }

  /** `ModelInfer`. @throws Error of gRPC. */
  async infer(request: object): Promise<unknown> {
    const { ModelInfer } = service
    if (ModelInfer === undefined) throw new Error('inference.proto has no ModelInfer.')
    const { path, requestSerialize, responseDeserialize } = ModelInfer
    const call = promisify((done: (error: Error | null, reply?: unknown) => void) =>
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, done),
    )
    return await call()
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }
}
