import { Buffer } from 'node:buffer'
import { frameSocketPath, frameSocketSuffix } from '../../../domain/frames-address.ts'
import { errorReply } from '../../image.ts'
import type { Image, Invocation, Reply } from '../../image.ts'
import type { Log } from '../../log.ts'
import { findModel } from '../../onnx/find-model.ts'
import { transferable } from '../../onnx/worker-pool.ts'
import { StartFailure } from '../../start-failure.ts'
import { withoutModel } from '../image-host.ts'
import { serveModelCall } from '../model-routes.ts'
import { ModelRegistry } from '../model-registry.ts'
import type { HostedModel, ModelToLoad } from '../model-registry.ts'
import type { ModelHostData } from './host-messages.ts'
import { HostSeat } from './host-seat.ts'

/** What `berth/onnx` needs to serve many models. */
export interface OnnxHostOptions {
  readonly workerCount: number
  /** Invocations of one model that may wait for its thread. */
  readonly waitingMax: number
  readonly bodyBytesMax: number
  /** Whether invocations that wait may share a run. */
  readonly isBatching: boolean
  /** Frames are taken beside it; undefined where the server listens on a port. */
  readonly socketPath: string | undefined
  readonly log: Log
}

/**
 * Starts `berth/onnx` for many models: threads that share them, each model in one.
 *
 * One copy in one thread is what memory is spent on: a thousand models that are asked for now and then. One that is asked
 * for more than a thread can answer gets another copy on another instance.
 */
export function startOnnxHost(options: OnnxHostOptions): Image {
  const { socketPath, workerCount, isBatching, waitingMax, bodyBytesMax, log } = options
  const usedCount = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const seats = Array.from({ length: workerCount }, (_, index) => {
    const framesPath = socketPath && frameSocketPath(socketPath, frameSocketSuffix(index))
    const data: ModelHostData = { isBatching, waitingMax, bodyBytesMax, framesPath, usedCount }
    return new HostSeat(index, data, log)
  })
  for (const seat of seats) seat.start()
  const models = new ModelRegistry((model, onLost) => load(model, seats, onLost))
  return {
    serveModelCall: (call, signal) => serveModelCall(call, models, signal),
    frameSuffixes:
      socketPath === undefined ? [] : seats.map(({ index }) => frameSocketSuffix(index)),
    usedCount: () => Atomics.load(usedCount, 0),
    ping: () => {
      const isReady = seats.every((seat) => seat.isReady)
      const good = { status: 200, headers: {}, body: new Uint8Array() }
      return Promise.resolve(isReady ? good : errorReply(503, 'the inference threads are starting'))
    },
    invoke: () => Promise.reject(withoutModel()),
    drain: async () => {
      await Promise.all(seats.map((seat) => seat.drain()))
    },
    close: async () => {
      await Promise.all(seats.map((seat) => seat.close()))
    },
  }
}

async function load(
  { modelId, directory }: ModelToLoad,
  seats: readonly HostSeat[],
  onLost: () => void,
): Promise<HostedModel> {
  const files = await findModel(directory)
  const seat = chooseSeat(seats)
  await seat.load(modelId, files, onLost)
  return {
    seat: seat.index,
    invoke: async (invocation, signal) => invoke(seat, modelId, { invocation, signal }),
    close: () => seat.unload(modelId),
  }
}

function chooseSeat(seats: readonly HostSeat[]): HostSeat {
  const [first, ...others] = seats.filter((seat) => seat.isReady)
  if (first === undefined) throw new StartFailure('bug', 'no inference thread is ready')
  return others.reduce((least, seat) => (seat.modelCount < least.modelCount ? seat : least), first)
}

async function invoke(
  seat: HostSeat,
  modelId: string,
  { invocation, signal }: { readonly invocation: Invocation; readonly signal: AbortSignal },
): Promise<Reply> {
  const { headers, body } = invocation
  const request = {
    contentType: headers['content-type'],
    accept: headers.accept,
    body: transferable(body),
  }
  const { status, contentType, body: given } = await seat.invoke(modelId, request, signal)
  const bytes = typeof given === 'string' ? Buffer.from(given, 'latin1') : given
  return { status, headers: { 'content-type': contentType }, body: bytes }
}
