import { readFile, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { OipError } from '../../wire/oip/errors.ts'
import {
  fillModelConfig,
  parseModelConfigJson,
  parseModelConfigText,
} from '../../wire/oip/model-config-codec.ts'
import {
  BACKEND_DEFAULTS,
  normaliseInstances,
  normaliseScheduling,
} from '../../wire/oip/model-config-normalise.ts'
import { validateModelConfig } from '../../wire/oip/model-config-validate.ts'
import type { ModelConfig as ConfigMessage } from '../../wire/oip/model-config.ts'
import { validateModelIo } from '../../wire/oip/model-io-validate.ts'
import type { ConfigSource, GraphPorts } from './config-source.ts'
import { ENSEMBLE } from './load-version.ts'
import type { ModelConfig } from './model-config.ts'
import type { ReadConfig } from './model-repository.ts'
import { autoComplete, compareWithGraph } from './onnx/auto-complete.ts'
import type { TritonOptions } from './options.ts'
import { refuseUnsupported } from './refuse-unsupported.ts'
import { toModelConfig, toVersionPolicy } from './to-model-config.ts'

/** How configurations are read. */
export type ConfigReaderOptions = Pick<
  TritonOptions,
  'isAutoCompleting' | 'configName' | 'defaultMaxBatchSize'
>

type Model = Parameters<ReadConfig>[0]

/** Creates what reads the configuration of a model. */
export function createConfigReader(options: ConfigReaderOptions): ReadConfig {
  return async (model): Promise<ConfigSource> => {
    const written = await readWritten(model, options)
    const { name } = model
    if (written.name !== '' && written.name !== name) {
      throw refusal(
        `unexpected directory name '${name}' for model '${written.name}', directory name must equal model name`,
      )
    }
    const config = fillModelConfig({ ...written, name, ...(await findBackend(model, written)) })
    refuseUnsupported(config)
    const backend = config.platform === ENSEMBLE ? ENSEMBLE : config.backend
    const defaultFilename = BACKEND_DEFAULTS[backend]?.modelFilename ?? ''
    return {
      name,
      backend,
      modelFilename: config.default_model_filename || defaultFilename,
      versionPolicy: toVersionPolicy(config.version_policy ?? {}),
      dependencies: (config.ensemble_scheduling?.step ?? []).map((step) => step.model_name),
      complete: (graph) => complete(config, graph, options),
    }
  }
}

async function readWritten(
  { modelDirectory, override }: Model,
  { configName, isAutoCompleting }: ConfigReaderOptions,
): Promise<ConfigMessage> {
  if (override !== undefined) return parseModelConfigJson(override)
  const custom = join(modelDirectory, 'configs', `${configName}.pbtxt`)
  const isCustom = configName !== '' && (await exists(custom))
  const path = isCustom ? custom : join(modelDirectory, 'config.pbtxt')
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) {
    if (isAutoCompleting) return fillModelConfig({})
    throw new OipError('NOT_FOUND', `failed to open text file for read ${path}`)
  }
  try {
    return parseModelConfigText(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw refusal(`failed to read text proto from ${path}: ${reason}`)
  }
}

// Source: reference §3.1, the platforms and the files of the backends that could be here.
const BACKEND_BY_PLATFORM: Readonly<Record<string, string>> = {
  onnxruntime_onnx: 'onnxruntime',
  tensorrt_plan: 'tensorrt',
  tensorflow_savedmodel: 'tensorflow',
  tensorflow_graphdef: 'tensorflow',
  pytorch_libtorch: 'pytorch',
}
const BACKEND_BY_FILE = [
  ['model.plan', 'tensorrt', 'tensorrt_plan'],
  ['model.onnx', 'onnxruntime', 'onnxruntime_onnx'],
  ['model.xml', 'openvino', ''],
  ['model.pt', 'pytorch', 'pytorch_libtorch'],
  ['model.py', 'python', ''],
] as const

async function findBackend(
  { name, modelDirectory, versions }: Model,
  { backend, platform, default_model_filename: filename }: ConfigMessage,
): Promise<Pick<ConfigMessage, 'backend' | 'platform'>> {
  if (platform === ENSEMBLE) return { backend, platform }
  const named = backend || (BACKEND_BY_PLATFORM[platform] ?? '')
  if (named === 'onnxruntime') return { backend: named, platform: 'onnxruntime_onnx' }
  if (named !== '' || platform !== '') return { backend: named, platform }
  const [version] = versions
  if (version === undefined) return { backend, platform }
  const files = await readdir(join(modelDirectory, String(version))).catch((): string[] => [])
  for (const [file, found, foundPlatform] of BACKEND_BY_FILE) {
    const isThere = filename === '' ? files.includes(file) : filename.endsWith(file.slice(5))
    if (isThere) return { backend: found, platform: foundPlatform }
  }
  throw refusal(
    `Invalid model name: Could not determine backend for model '${name}' with no backend in model configuration. ` +
      "Expected model name of the form 'model.<backend_name>'.",
  )
}

function complete(
  config: ConfigMessage,
  graph: GraphPorts | undefined,
  { isAutoCompleting, defaultMaxBatchSize }: ConfigReaderOptions,
): ModelConfig {
  const filled =
    graph !== undefined && isAutoCompleting
      ? fillModelConfig(autoComplete(config, graph, defaultMaxBatchSize))
      : config
  const scheduled = normaliseScheduling(filled)
  validateModelConfig(scheduled)
  const whole = normaliseInstances(scheduled)
  validateModelIo(whole)
  if (graph !== undefined) compareWithGraph(whole, graph)
  return toModelConfig({ ...whole })
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

function refusal(message: string): OipError {
  return new OipError('INVALID_ARG', message)
}
