import { readFile, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { OipError } from '../../wire/oip/errors.ts'
import {
  fillModelConfig,
  parseModelConfigJson,
  parseModelConfigText,
} from '../../wire/oip/model-config-codec.ts'
import { BACKEND_DEFAULTS, normaliseScheduling } from '../../wire/oip/model-config-normalise.ts'
import { finishModelConfig, prepareModelConfig } from '../../wire/oip/model-config-prepare.ts'
import type { ModelConfig as ConfigMessage } from '../../wire/oip/model-config.ts'
import { completeOnnxConfig, type Graph } from '../../wire/oip/onnx-config.ts'
import { toBatchForm } from './batch-form.ts'
import type { ConfigSource } from './config-source.ts'
import { ENSEMBLE } from './load-version.ts'
import type { ModelConfig } from './model-config.ts'
import type { ReadConfig } from './plan-load.ts'
import { compareWithGraph } from './onnx/compare-with-graph.ts'
import type { TritonOptions } from './options.ts'
import { refuseUnsupported } from './refuse-unsupported.ts'
import { toModelConfig, toVersionPolicy } from './to-model-config.ts'

/** How configurations are read. */
export type ConfigReaderOptions = Pick<TritonOptions, 'isAutoCompleting' | 'configName'> &
  Pick<TritonOptions['backends'], 'defaultMaxBatchSize'>

type Model = Parameters<ReadConfig>[0]

/** Creates what reads the configuration of a model. */
export function createConfigReader(options: ConfigReaderOptions): ReadConfig {
  return async (model): Promise<ConfigSource> => {
    const { name } = model
    const written = await readWritten(model, options)
    const detectedBackend = await detectBackend(model, written)
    const config = prepareModelConfig(written, { directory: name, detectedBackend })
    refuseUnsupported(config)
    const backend = config.platform === ENSEMBLE ? ENSEMBLE : config.backend
    return {
      name,
      backend,
      modelFilename:
        config.default_model_filename || (BACKEND_DEFAULTS[backend]?.modelFilename ?? ''),
      versionPolicy: toVersionPolicy(config.version_policy ?? {}),
      written: config,
      batchForm: toBatchForm(config),
      dependencies: (config.ensemble_scheduling?.step ?? []).map((step) => step.model_name),
      isAutoCompleting: options.isAutoCompleting,
      complete: (graph) => complete(config, graph, options),
      completeWith: (completed) => {
        const whole = parseModelConfigJson(JSON.stringify({ ...config, ...completed }))
        return complete(
          prepareModelConfig(whole, { directory: name, detectedBackend }),
          undefined,
          options,
        )
      },
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

// Source: reference §3.1, in the order in which files are looked for.
const BACKEND_BY_FILE = [
  ['model.plan', 'tensorrt'],
  ['model.onnx', 'onnxruntime'],
  ['model.xml', 'openvino'],
  ['model.pt', 'pytorch'],
  ['model.py', 'python'],
  ['model.ts', 'node'],
  ['model.mjs', 'node'],
  ['model.js', 'node'],
] as const

async function detectBackend(
  { name, modelDirectory, versions }: Model,
  { backend, platform, default_model_filename: filename }: ConfigMessage,
): Promise<string> {
  const [version] = versions
  if (backend !== '' || platform !== '' || version === undefined) return backend
  const present = await readdir(join(modelDirectory, String(version))).catch((): string[] => [])
  for (const [file, found] of BACKEND_BY_FILE) {
    const extension = file.slice('model'.length)
    if (filename === '' ? present.includes(file) : filename.endsWith(extension)) return found
  }
  throw refusal(
    `Invalid model name: Could not determine backend for model '${name}' with no backend in model configuration. ` +
      "Expected model name of the form 'model.<backend_name>'.",
  )
}

function complete(
  config: ConfigMessage,
  graph: Graph | undefined,
  { isAutoCompleting, defaultMaxBatchSize }: ConfigReaderOptions,
): ModelConfig {
  const filled =
    graph !== undefined && isAutoCompleting
      ? normaliseScheduling(
          completeOnnxConfig(config, graph, { maxBatchSizeDefault: defaultMaxBatchSize }),
        )
      : config
  const whole = finishModelConfig(filled)
  if (graph !== undefined) compareWithGraph(whole, graph)
  return toModelConfig({ ...whole })
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

function refusal(message: string): OipError {
  return new OipError('INVALID_ARG', message)
}
