import { OipError } from './errors.ts'
import { normaliseInstances, normaliseScheduling } from './model-config-normalise.ts'
import { validateModelConfig } from './model-config-validate.ts'
import type { ModelConfig } from './model-config.ts'
import { validateModelIo } from './model-io-validate.ts'

const BACKEND_BY_PLATFORM: Readonly<Record<string, string>> = {
  onnxruntime_onnx: 'onnxruntime',
  pytorch_libtorch: 'pytorch',
  tensorflow_graphdef: 'tensorflow',
  tensorflow_savedmodel: 'tensorflow',
  tensorrt_plan: 'tensorrt',
  ensemble: '',
}

/** What is known of a model before it is read. */
export interface ModelPlace {
  /** Name of its directory. */
  readonly directory: string
  /** Backend that its files speak for; empty for none. */
  readonly detectedBackend: string
}

/**
 * A configuration as far as it goes without reading the model: named, with its backend and its scheduling.
 *
 * @throws OipError `INVALID_ARG` in Triton's words.
 */
export function prepareModelConfig(config: ModelConfig, place: ModelPlace): ModelConfig {
  const name = config.name || place.directory
  if (name !== place.directory) {
    throw new OipError(
      'INVALID_ARG',
      `unexpected directory name '${place.directory}' for model '${name}', directory name must equal model name`,
    )
  }
  const prepared = normaliseScheduling({ ...config, name, ...nameBackend(config, name, place) })
  validateModelConfig(prepared)
  return prepared
}

/**
 * The configuration to serve by, once the model has been read and has filled in what was missing.
 *
 * @throws OipError `INVALID_ARG` in Triton's words.
 */
export function finishModelConfig(config: ModelConfig): ModelConfig {
  const finished = normaliseInstances(config)
  validateModelIo(finished)
  return finished
}

function nameBackend(
  { platform, backend }: ModelConfig,
  name: string,
  { detectedBackend }: ModelPlace,
): Pick<ModelConfig, 'platform' | 'backend'> {
  if (backend !== '') return { platform, backend }
  if (platform === '') {
    const detected = detectedBackend === 'onnxruntime' ? 'onnxruntime_onnx' : ''
    return { platform: detected, backend: detectedBackend }
  }
  const known = BACKEND_BY_PLATFORM[platform]
  if (known !== undefined) return { platform, backend: known }
  throw new OipError('INVALID_ARG', `unexpected platform type '${platform}' for ${name}`)
}
