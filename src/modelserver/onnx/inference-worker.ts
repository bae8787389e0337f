/**
 * The inference thread: loads the model once, then answers one invocation after another.
 *
 * `session.run` blocks this thread, so everything of an invocation but its sockets happens here: decoding and
 * encoding a large body would stop the main thread's pings as well.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { describeSignature } from '../codecs/signature.ts'
import { StartFailure } from '../start-failure.ts'
import type { ModelFiles } from './find-model.ts'
import { answer, loadModel } from './model.ts'
import type { Model } from './model.ts'
import type { FromWorker, ToWorker } from './worker-messages.ts'

const files: ModelFiles = workerData
if (parentPort !== null) await runWorker(parentPort)

async function runWorker(port: MessagePort): Promise<void> {
  const send = (message: FromWorker): void => {
    port.postMessage(message, message.kind === 'reply' ? [message.reply.body.buffer] : [])
  }
  const model = await load(send)
  if (model === undefined) return
  // An error that is thrown here is a bug: it ends the thread, and the pool answers 500 and starts another.
  port.on('message', (request: ToWorker) => {
    void answer(model, request).then((reply) => send({ kind: 'reply', reply }))
  })
  send({ kind: 'ready', signature: describeSignature(model.session.signature) })
}

async function load(send: (message: FromWorker) => void): Promise<Model | undefined> {
  try {
    return await loadModel(files)
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error
    send({ kind: 'failed', reason: error.reason, message: error.message })
    return undefined
  }
}
