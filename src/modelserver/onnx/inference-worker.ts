/**
 * The inference thread: loads the model once, then answers what comes to it, by frames on a socket of its own or from the
 * main thread, which has it from HTTP.
 *
 * `session.run` blocks this thread, so everything of an invocation happens here, and what comes by frames crosses no
 * thread at all: handing an invocation over costs 30 to 60 µs, a run of a small model 7.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { describeSignature } from '../codecs/signature.ts'
import { FrameServer } from '../frames/frame-server.ts'
import { listen } from '../listen.ts'
import type { Log } from '../log.ts'
import { StartFailure } from '../start-failure.ts'
import { Batcher } from './batcher.ts'
import { createFrameModelCall } from './frame-model-call.ts'
import { loadModel } from './model.ts'
import type { Model } from './model.ts'
import { PortCalls } from './port-calls.ts'
import { waitForData } from './wait-for-data.ts'
import type { InferenceWorkerData } from './worker-data.ts'
import type { FromWorker, ToWorker } from './worker-messages.ts'

// Bodies that have come by frames and wait: enough to keep the worker busy.
const HELD_BYTES_MAX = 256 * 1024 * 1024

if (parentPort === null) throw new Error('This is the program of a thread.')
// A thread of the warm pool is started without, and told later; first of a model to rehearse with.
if (workerData) await serveModel(parentPort, workerData)
else while (await serveModel(parentPort, await waitForData(parentPort)));

/** @returns whether the model was given back, so that another may follow. */
async function serveModel(port: MessagePort, data: InferenceWorkerData): Promise<boolean> {
  const send = (message: FromWorker): void => {
    const moved = message.kind === 'reply' ? movable(message.reply.body) : []
    port.postMessage(message, moved)
  }
  // An error that nobody catches here is a bug: it ends the thread, and the pool answers 500 and starts another.
  try {
    const model = await loadModel(data.files, (event, fields) =>
      send({ kind: 'note', event, fields }),
    )
    await serve(model, data, { port, send })
    return true
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error
    send({ kind: 'failed', reason: error.reason, message: error.message })
    return false
  }
}

/** Resolves when the model has been given back. */
async function serve(
  model: Model,
  data: InferenceWorkerData,
  { port, send }: { readonly port: MessagePort; readonly send: (message: FromWorker) => void },
): Promise<void> {
  const { isBatching, waitingMax, framesPath } = data
  const log: Log = (_level, event, fields = {}) => send({ kind: 'note', event, fields })
  const batcher = new Batcher({
    model,
    isBatching,
    waitingMax,
    log,
    onAnswered: (callUs) => {
      frames.announcePace(callUs)
      frames.flush()
    },
  })
  const frames = createFrameServer(batcher, data, log)
  if (framesPath !== undefined) await listen(frames.server, { socketPath: framesPath })
  const calls = new PortCalls(batcher, send)
  const released = Promise.withResolvers<void>()
  const receive = (message: ToWorker): void => {
    if (message.kind === 'invoke') calls.add(message.id, message.request)
    else if (message.kind === 'cancel') calls.cancel(message.id)
    else if (message.kind === 'drain') void drain()
    else released.resolve()
  }
  port.on('message', receive)
  const drain = async (): Promise<void> => {
    await frames.close()
    await batcher.idle()
    send({ kind: 'drained' })
  }
  const signature = describeSignature(model.session.signature)
  send({ kind: 'ready', signature, callsMax: batcher.callsMax })
  await released.promise
  port.off('message', receive)
  await model.session.close()
}

function createFrameServer(batcher: Batcher, data: InferenceWorkerData, log: Log): FrameServer {
  return new FrameServer({
    bodyBytesMax: data.bodyBytesMax,
    heldBytesMax: HELD_BYTES_MAX,
    onCall: (call) => {
      Atomics.add(data.usedCount, 0, 1)
      batcher.add(createFrameModelCall(call))
    },
    log,
  })
}

// Memory of its own is handed over instead of copied; a small reply lies in a pool with others.
function movable(body: Uint8Array | string): ArrayBuffer[] {
  if (typeof body === 'string') return []
  const { buffer, byteLength } = body
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : []
}
