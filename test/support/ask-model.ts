import { Batcher } from '../../src/modelserver/onnx/batcher.ts'
import type { Model } from '../../src/modelserver/onnx/model.ts'
import type { ModelReply, ModelRequest } from '../../src/modelserver/onnx/model-call.ts'

/** Asks a model as its worker does. */
export async function ask(model: Model, request: ModelRequest): Promise<ModelReply> {
  const [reply] = await askAtOnce(createBatcher(model), [request])
  if (reply === undefined) throw new Error('No reply.')
  return reply
}

/** A worker's line without a worker. */
export function createBatcher(model: Model, isBatching = true): Batcher {
  const onAnswered = (): void => undefined
  return new Batcher({ model, isBatching, waitingMax: 1000, log: () => undefined, onAnswered })
}

/** Asks for several things in one turn of the event loop. */
export function askAtOnce(
  batcher: Batcher,
  requests: readonly ModelRequest[],
): Promise<readonly ModelReply[]> {
  return Promise.all(
    requests.map((request) => {
      const { promise, resolve, reject } = Promise.withResolvers<ModelReply>()
      batcher.add({
        request,
        deadlineAtMs: Infinity,
        isOver: false,
        answer: resolve,
        refuse: (reason, detail) => reject(new Error(`${reason}: ${detail}`)),
      })
      return promise
    }),
  )
}
