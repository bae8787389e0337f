import { setTimeout as delay } from 'node:timers/promises'
import { MODEL_HEADER } from '../../domain/multi-model/model-header.ts'
import { ImageFrames } from '../frames/image-frames.ts'
import type { Image, Invocation, Reply } from '../image.ts'
import type { Log } from '../log.ts'
import { Rejection } from '../rejection.ts'
import { serveModelCall } from './model-routes.ts'
import { ModelRegistry } from './model-registry.ts'
import type { HostedModel, ModelToLoad } from './model-registry.ts'

const HELD_BYTES_MAX = 512 * 1024 * 1024
const READY_POLL_MS = 5

/** Starts what serves one model. `onStartFailure` is told when it turns out that it cannot. */
export type StartModelImage = (
  model: ModelToLoad,
  onStartFailure: (failure: unknown) => void,
) => Promise<Image>

/** What an image of many images needs. */
export interface ImageHostOptions {
  readonly startModel: StartModelImage
  /** Frames are taken beside it; undefined where the server listens on a port. */
  readonly socketPath: string | undefined
  readonly bodyBytesMax: number
  readonly log: Log
}

/**
 * Serves many models with an image for each: its workers are its own, so a model that ends its process takes only what
 * it was asked itself.
 */
export async function startImageHost(options: ImageHostOptions): Promise<Image> {
  const host = new ImageHost(options)
  await host.listen()
  return host
}

class ImageHost implements Image {
  readonly #models: ModelRegistry
  readonly #frames: ImageFrames

  constructor(options: ImageHostOptions) {
    this.#models = new ModelRegistry((model) => startHosted(model, options.startModel))
    this.#frames = new ImageFrames(this, { ...options, heldBytesMax: HELD_BYTES_MAX })
  }

  get frameSuffixes(): readonly string[] {
    return this.#frames.suffixes
  }

  serveModelCall(call: Invocation, signal: AbortSignal): Promise<Reply> {
    return serveModelCall(call, this.#models, signal)
  }

  listen(): Promise<void> {
    return this.#frames.listen()
  }

  // Whatever is loaded or not: models come when they are asked for.
  ping(): Promise<Reply> {
    return Promise.resolve({ status: 200, headers: {}, body: new Uint8Array() })
  }

  async invoke(invocation: Invocation, signal: AbortSignal): Promise<Reply> {
    const { [MODEL_HEADER]: modelId, ...headers } = invocation.headers
    if (modelId === undefined) throw withoutModel()
    return await this.#models.invoke(modelId, { ...invocation, headers }, signal)
  }

  usedCount(): number {
    return this.#frames.servedCount
  }

  drain(): Promise<void> {
    return this.#frames.close()
  }

  close(): Promise<void> {
    return this.#models.close()
  }
}

/** The answer to `POST /invocations` of a container that serves many models. */
export function withoutModel(): Rejection {
  return new Rejection(404, 'This container serves many models: POST /models/ID/invoke.')
}

async function startHosted(model: ModelToLoad, start: StartModelImage): Promise<HostedModel> {
  const failed = Promise.withResolvers<never>()
  // Told to whoever loads; later it is the image's own business.
  failed.promise.catch(() => undefined)
  const image = await start(model, failed.reject)
  const close = async (): Promise<void> => {
    await image.drain()
    await image.close()
  }
  try {
    await Promise.race([untilReady(image), failed.promise])
  } catch (error) {
    await close()
    throw error
  }
  return {
    seat: undefined,
    close,
    invoke: (invocation, signal) => image.invoke(invocation, signal),
  }
}

async function untilReady(image: Image): Promise<void> {
  while ((await image.ping()).status !== 200) await delay(READY_POLL_MS)
}
