/**
 * A thread that hosts many ONNX models, each with a line of its own. It answers what comes to it by frames on its own
 * socket, or from the main thread, which has it from HTTP.
 *
 * Loading a model holds up the others of this thread for as long as ONNX Runtime takes to read it.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { MODEL_HEADER } from '../../../domain/multi-model/model-header.ts'
import { describeSignature } from '../../codecs/signature.ts'
import { FrameServer } from '../../frames/frame-server.ts'
import type { IncomingCall } from '../../frames/incoming-call.ts'
import { listen } from '../../listen.ts'
import type { Log } from '../../log.ts'
import { Batcher } from '../../onnx/batcher.ts'
import { rejectionReply } from '../../onnx/decode-call.ts'
import { createFrameModelCall } from '../../onnx/frame-model-call.ts'
import { loadModel } from '../../onnx/model.ts'
import { PortCalls } from '../../onnx/port-calls.ts'
import { StartFailure } from '../../start-failure.ts'
import { withoutModel } from '../image-host.ts'
import { notLoaded } from '../model-registry.ts'
import type { FromModelHost, ModelHostData, ToModelHost } from './host-messages.ts'

// Bodies that have come by frames and wait: enough to keep the worker busy.
const HELD_BYTES_MAX = 256 * 1024 * 1024

interface HostedModel {
  readonly batcher: Batcher
  readonly calls: PortCalls
  readonly close: () => Promise<void>
}

if (parentPort === null) throw new Error('This is the program of a thread.')
await host(parentPort, workerData)

async function host(port: MessagePort, data: ModelHostData): Promise<void> {
  const modelById = new Map<string, HostedModel>()
  const send = (message: FromModelHost): void => port.postMessage(message)
  const log: Log = (_level, event, fields = {}) => send({ kind: 'note', event, fields })
  const frames = new FrameServer({
    bodyBytesMax: data.bodyBytesMax,
    heldBytesMax: HELD_BYTES_MAX,
    onCall: (call) => {
      Atomics.add(data.usedCount, 0, 1)
      serveFrameCall(call, modelById)
    },
    log,
  })
  const load = async ({ modelId, files }: Extract<ToModelHost, { kind: 'load' }>) => {
    const model = await loadModel(files, (event, fields) => send({ kind: 'note', event, fields }))
    const { isBatching, waitingMax } = data
    const onAnswered = (callUs: number): void => {
      frames.announcePace(callUs)
      frames.flush()
    }
    const batcher = new Batcher({ model, isBatching, waitingMax, log, onAnswered })
    const calls = new PortCalls(batcher, send)
    modelById.set(modelId, { batcher, calls, close: () => model.session.close() })
    send({ kind: 'loaded', modelId, signature: describeSignature(model.session.signature) })
  }
  const unload = async (modelId: string): Promise<void> => {
    const model = modelById.get(modelId)
    modelById.delete(modelId)
    await model?.batcher.idle()
    await model?.close()
    send({ kind: 'unloaded', modelId })
  }
  const drain = async (): Promise<void> => {
    await frames.close()
    for (const { batcher } of modelById.values()) await batcher.idle()
    send({ kind: 'drained' })
  }
  port.on('message', (message: ToModelHost) => {
    if (message.kind === 'load') {
      load(message).catch((error: unknown) => send(failureOf(message.modelId, error)))
    } else if (message.kind === 'unload') void unload(message.modelId)
    else if (message.kind === 'drain') void drain()
    else servePortCall(message, modelById, send)
  })
  if (data.framesPath !== undefined) await listen(frames.server, { socketPath: data.framesPath })
  send({ kind: 'ready' })
}

function serveFrameCall(call: IncomingCall, modelById: ReadonlyMap<string, HostedModel>): void {
  const modelId = call.headers.find(MODEL_HEADER)
  const model = modelId === undefined ? undefined : modelById.get(modelId)
  const frameCall = createFrameModelCall(call)
  if (model !== undefined) model.batcher.add(frameCall)
  else frameCall.answer(rejectionReply(modelId === undefined ? withoutModel() : notLoaded(modelId)))
}

function servePortCall(
  message: Extract<ToModelHost, { kind: 'invoke' | 'cancel' }>,
  modelById: ReadonlyMap<string, HostedModel>,
  send: (message: FromModelHost) => void,
): void {
  const { id, modelId } = message
  const model = modelById.get(modelId)
  if (message.kind === 'cancel') model?.calls.cancel(id)
  else if (model !== undefined) model.calls.add(id, message.request)
  else send({ kind: 'reply', id, reply: rejectionReply(notLoaded(modelId)) })
}

function failureOf(modelId: string, error: unknown): FromModelHost {
  if (error instanceof StartFailure) {
    return { kind: 'failed', modelId, reason: error.reason, message: error.message }
  }
  const message = error instanceof Error ? error.message : String(error)
  return { kind: 'failed', modelId, reason: 'bug', message: `it cannot be loaded: ${message}` }
}
