import type { Image } from '../image.ts'
import type { Log } from '../log.ts'
import type { Options } from '../options.ts'
import { StartFailure } from '../start-failure.ts'
import { startImageHost } from './image-host.ts'
import type { StartModelImage } from './image-host.ts'
import { startOnnxHost } from './onnx/onnx-host.ts'

/** What a built-in image needs to serve many models. */
export interface MultiModelOptions extends Options {
  /** Frames are taken beside it; undefined where the server listens on a port. */
  readonly socketPath: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly log: Log
}

/**
 * Starts a built-in image without a model; the platform loads them by `POST /models`.
 *
 * @throws StartFailure `badOptions`: the image serves one model only, or one of its variables is out of bounds.
 */
export async function startMultiModelImage(options: MultiModelOptions): Promise<Image> {
  switch (options.imageName) {
    case 'berth/onnx':
      return startOnnxHost(options)
    case 'berth/python':
      return startImageHost({ ...options, startModel: await pythonModels(options) })
    case 'berth/node':
      return startImageHost({ ...options, startModel: await nodeModels(options) })
    case 'berth/triton':
      return startImageHost({ ...options, startModel: await tritonModels(options) })
    case 'berth/graph':
    case 'berth/echo': {
      const what = `${options.imageName} loads no models, so it cannot serve many`
      throw new StartFailure('badOptions', what)
    }
  }
}

// A process for each model, so that one that dies takes no other with it; a model gets one, not one for each core.
async function pythonModels(options: MultiModelOptions): Promise<StartModelImage> {
  const { startPythonImage } = await import('../python/python-image.ts')
  return ({ directory }, onStartFailure) =>
    startPythonImage({
      ...options,
      modelDirectory: directory,
      socketPath: undefined,
      workerCount: 1,
      onStartFailure,
    })
}

// A thread for each model.
async function nodeModels(options: MultiModelOptions): Promise<StartModelImage> {
  const { startNodeImage } = await import('../node/node-image.ts')
  return ({ directory }, onStartFailure) =>
    startNodeImage({
      ...options,
      modelDirectory: directory,
      socketPath: undefined,
      workerCount: 1,
      onStartFailure,
    })
}

async function tritonModels(options: MultiModelOptions): Promise<StartModelImage> {
  const { startTritonImage } = await import('../triton/triton-image.ts')
  return ({ directory }, onStartFailure) =>
    startTritonImage({
      ...options,
      modelDirectory: directory,
      socketPath: undefined,
      onStartFailure,
    })
}
