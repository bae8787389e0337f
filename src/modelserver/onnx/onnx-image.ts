import { Buffer } from 'node:buffer'
import { frameSocketPath, frameSocketSuffix } from '../../domain/frames-address.ts'
import { errorReply } from '../image.ts'
import type { Image } from '../image.ts'
import type { Log } from '../log.ts'
import type { StartFailure } from '../start-failure.ts'
import { findModel } from './find-model.ts'
import { inferenceWorkerUrl } from './inference-worker-url.ts'
import type { SpareWorker } from './spare-worker.ts'
import type { InferenceWorkerData } from './worker-data.ts'
import { optimisedForm } from './optimised-form.ts'
import { transferable, WorkerPool } from './worker-pool.ts'

/** What `berth/onnx` needs. */
export interface OnnxImageOptions {
  readonly modelDirectory: string
  /** Loaded instead if it fits; see `compile/`. */
  readonly optimisedDirectory: string | undefined
  readonly workerCount: number
  readonly waitingMax: number
  readonly bodyBytesMax: number
  /** Whether invocations that wait may share a run. */
  readonly isBatching: boolean
  /** Frames are taken beside it; undefined where the server listens on a port. */
  readonly socketPath: string | undefined
  /** A thread that was started before there was a model, if there is one. */
  readonly spareWorker?: SpareWorker | undefined
  readonly log: Log
  /** Called when the model turns out not to load after the server has started. */
  readonly onStartFailure: (failure: StartFailure) => void
}

/**
 * Starts `berth/onnx`: finds the model and starts the threads that load it.
 *
 * @throws StartFailure `modelMissing` or `labelsInvalid`: before any thread is started.
 */
export async function startOnnxImage(options: OnnxImageOptions): Promise<Image> {
  const optimised = optimisedForm(options.optimisedDirectory)
  const files = { ...(await findModel(options.modelDirectory)), optimised }
  const { socketPath, workerCount } = options
  const usedCount = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const workerDataOf = (seat: number): InferenceWorkerData => {
    const { isBatching, waitingMax, bodyBytesMax } = options
    const framesPath = socketPath && frameSocketPath(socketPath, frameSocketSuffix(seat))
    return { files, isBatching, waitingMax, bodyBytesMax, framesPath, usedCount }
  }
  const pool = new WorkerPool({ ...options, workerUrl: inferenceWorkerUrl(), workerDataOf })
  pool.start()
  const seats = Array.from({ length: workerCount }, (_, seat) => seat)
  return {
    frameSuffixes: socketPath === undefined ? [] : seats.map(frameSocketSuffix),
    usedCount: () => Atomics.load(usedCount, 0),
    drain: () => pool.drain(),
    close: () => pool.close(),
    ping: () => {
      const reason = pool.unreadiness()
      const body = new Uint8Array()
      return Promise.resolve(
        reason === undefined ? { status: 200, headers: {}, body } : errorReply(503, reason),
      )
    },
    invoke: async ({ headers, body }, signal) => {
      const request = {
        contentType: headers['content-type'],
        accept: headers.accept,
        body: transferable(body),
      }
      const reply = await pool.invoke(request, signal)
      return {
        status: reply.status,
        headers: { 'content-type': reply.contentType },
        body: bytesOf(reply.body),
      }
    },
  }
}

function bytesOf(body: Uint8Array | string): Uint8Array {
  return typeof body === 'string' ? Buffer.from(body, 'latin1') : body
}
