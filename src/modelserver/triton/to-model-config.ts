import type { DynamicBatching, QueuePolicy } from '../../domain/dynamic-batch.ts'
import type { EnsembleStep } from '../../domain/ensemble.ts'
import type { VersionPolicy } from '../../domain/version-policy.ts'
import { toDatatype } from './data-type-name.ts'
import { read } from './json-reader.ts'
import type { ConfigPort, InstanceGroup, ModelConfig, Scheduling, Warmup } from './model-config.ts'
import { toSequenceBatching } from './to-sequence-batching.ts'

type JsonObject = Readonly<Record<string, unknown>>

const US_PER_MS = 1000

/** What serving needs of a configuration that is valid, complete and normalised, in the form of the protocol. */
export function toModelConfig(json: JsonObject): ModelConfig {
  const groups = toInstanceGroups(json)
  return {
    name: read.text(json['name']),
    platform: read.text(json['platform']),
    backend: read.text(json['backend']),
    maxBatchSize: read.number(json['max_batch_size']),
    inputs: read.objects(json['input']).map(toPort),
    outputs: read.objects(json['output']).map(toPort),
    versionPolicy: toVersionPolicy(read.object(json['version_policy'])),
    instanceCount: groups.reduce((sum, { count }) => sum + count, 0),
    instanceGroups: groups,
    scheduling: toScheduling(json),
    isCached: read.boolean(read.object(json['response_cache'])['enable']),
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

function toInstanceGroups(json: JsonObject): readonly InstanceGroup[] {
  const active = read.objects(json['instance_group']).filter(({ passive }) => passive !== true)
  const groups = active.map((group): InstanceGroup => {
    const limiter = read.object(group['rate_limiter'])
    const needs = read.objects(limiter['resources']).map((resource) => ({
      name: read.text(resource['name']),
      isGlobal: read.boolean(resource['global']),
      count: read.number(resource['count']),
    }))
    const limits = { needs, priority: read.number(limiter['priority']) }
    return { count: Math.max(1, read.number(group['count'])), limits }
  })
  return groups.length > 0 ? groups : [{ count: 1, limits: { needs: [], priority: 0 } }]
}

function toScheduling(json: JsonObject): Scheduling {
  const ensemble = json['ensemble_scheduling']
  if (ensemble !== undefined) {
    return { kind: 'ensemble', steps: read.objects(read.object(ensemble)['step']).map(toStep) }
  }
  const sequence = json['sequence_batching']
  if (sequence !== undefined) {
    const maxBatchSize = read.number(json['max_batch_size'])
    return { kind: 'sequence', batching: toSequenceBatching(read.object(sequence), maxBatchSize) }
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
