import type { DynamicBatching, QueuePolicy } from '../../domain/dynamic-batch.ts'
import type { EnsembleStep } from '../../domain/ensemble.ts'
import type { VersionPolicy } from '../../domain/version-policy.ts'
import type { Datatype } from '../../wire/oip/tensor.ts'
import { fromDataTypeName } from './data-type-name.ts'
import { read } from './json-reader.ts'
import type { ConfigPort, ModelConfig, Scheduling, Warmup } from './model-config.ts'

type JsonObject = Readonly<Record<string, unknown>>

const US_PER_MS = 1000

/** What serving needs of a configuration that is valid, complete and normalised, in the form of the protocol. */
export function toModelConfig(json: JsonObject): ModelConfig {
  return {
    name: read.text(json['name']),
    platform: read.text(json['platform']),
    backend: read.text(json['backend']),
    maxBatchSize: read.number(json['max_batch_size']),
    inputs: read.objects(json['input']).map(toPort),
    outputs: read.objects(json['output']).map(toPort),
    versionPolicy: toVersionPolicy(read.object(json['version_policy'])),
    instanceCount: countInstances(json),
    scheduling: toScheduling(json),
    isDecoupled: read.boolean(read.object(json['model_transaction_policy'])['decoupled']),
    warmups: read.objects(json['model_warmup']).map(toWarmup),
    metricTags: read.texts(json['metric_tags']),
    defaultModelFilename: read.text(json['default_model_filename']),
    parameters: Object.fromEntries(
      Object.entries(read.object(json['parameters'])).map(([name, value]) => {
        return [name, read.text(read.object(value)['string_value'])]
      }),
    ),
    json,
  }
}

/** The versions that a configuration wants served: the latest, when it does not say. */
export function toVersionPolicy(json: JsonObject): VersionPolicy {
  if (json['all'] !== undefined) return { kind: 'all' }
  if (json['specific'] !== undefined) {
    return { kind: 'specific', versions: read.numbers(read.object(json['specific'])['versions']) }
  }
  const count = read.number(read.object(json['latest'])['num_versions'])
  return { kind: 'latest', count: Math.max(1, count) }
}

function toDatatype(name: unknown): Datatype {
  const datatype = fromDataTypeName(read.text(name))
  if (datatype !== undefined) return datatype
  throw new Error(`A valid configuration has no data type ${read.text(name)}.`)
}

function toPort(json: JsonObject): ConfigPort {
  const reshape = json['reshape']
  return {
    name: read.text(json['name']),
    datatype: toDatatype(json['data_type']),
    dims: read.numbers(json['dims']),
    reshape:
      reshape === undefined || reshape === null
        ? undefined
        : read.numbers(read.object(reshape)['shape']),
    isOptional: read.boolean(json['optional']),
    isRagged: read.boolean(json['allow_ragged_batch']),
    labelFilename: read.text(json['label_filename']),
  }
}

function countInstances(json: JsonObject): number {
  const groups = read.objects(json['instance_group']).filter(({ passive }) => passive !== true)
  const count = groups.reduce((sum, group) => sum + Math.max(1, read.number(group['count'])), 0)
  return Math.max(1, count)
}

function toScheduling(json: JsonObject): Scheduling {
  const ensemble = json['ensemble_scheduling']
  if (ensemble !== undefined) {
    return { kind: 'ensemble', steps: read.objects(read.object(ensemble)['step']).map(toStep) }
  }
  const dynamic = json['dynamic_batching']
  if (dynamic === undefined) return { kind: 'default' }
  return { kind: 'dynamic', batching: toBatching(read.object(dynamic)) }
}

function toStep(json: JsonObject): EnsembleStep {
  return {
    modelName: read.text(json['model_name']),
    modelVersion: json['model_version'] === undefined ? -1 : read.number(json['model_version']),
    tensorByInput: read.texts(json['input_map']),
    tensorByOutput: read.texts(json['output_map']),
  }
}

function toBatching(json: JsonObject): DynamicBatching {
  const policies = Object.entries(read.object(json['priority_queue_policy']))
  return {
    preferredSizes: read.numbers(json['preferred_batch_size']),
    queueDelayMs: read.number(json['max_queue_delay_microseconds']) / US_PER_MS,
    isOrderKept: read.boolean(json['preserve_ordering']),
    priorityLevelCount: read.number(json['priority_levels']),
    defaultPriority: read.number(json['default_priority_level']),
    defaultPolicy: toQueuePolicy(read.object(json['default_queue_policy'])),
    policyByPriority: new Map(
      policies.map(([priority, policy]) => [Number(priority), toQueuePolicy(read.object(policy))]),
    ),
  }
}

function toQueuePolicy(json: JsonObject): QueuePolicy {
  const action = json['timeout_action']
  return {
    timeoutAction: action === 'DELAY' || action === 1 ? 'delay' : 'reject',
    defaultTimeoutMs: read.number(json['default_timeout_microseconds']) / US_PER_MS,
    canShorten: read.boolean(json['allow_timeout_override']),
    sizeMax: read.number(json['max_queue_size']),
  }
}

function toWarmup(json: JsonObject): Warmup {
  return {
    name: read.text(json['name']),
    batchSize: read.number(json['batch_size']),
    count: read.number(json['count']),
    inputs: Object.entries(read.object(json['inputs'])).map(([name, value]) => {
      const input = read.object(value)
      const file = input['input_data_file']
      const isRandom = read.boolean(input['random_data'])
      return {
        name,
        datatype: toDatatype(input['data_type']),
        dims: read.numbers(input['dims']),
        content: typeof file === 'string' ? { file } : isRandom ? 'random' : 'zeros',
      }
    }),
  }
}
