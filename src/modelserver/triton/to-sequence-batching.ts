import type { SequenceStrategy } from '../../domain/sequence-batch.ts'
import type { Datatype } from '../../wire/oip/tensor.ts'
import { toDatatype } from './data-type-name.ts'
import { read } from './json-reader.ts'
import type {
  CorrelationControl,
  FlagControl,
  SequenceBatching,
  SequenceState,
} from './sequence-batching.ts'

type JsonObject = Readonly<Record<string, unknown>>

const US_PER_MS = 1000

/** What serving needs of a valid `sequence_batching`. Without a strategy it is direct. */
export function toSequenceBatching(json: JsonObject, maxBatchSize: number): SequenceBatching {
  const oldest = json['oldest']
  const candidateCount = read.number(read.object(oldest)['max_candidate_sequences'])
  return {
    strategy: toStrategy(json),
    slotCount: Math.max(1, oldest === undefined ? maxBatchSize : candidateCount),
    idleMs: read.number(json['max_sequence_idle_microseconds']) / US_PER_MS,
    flags: controlsOf(json).flatMap(({ name, control }) => toFlag(name, control) ?? []),
    correlation: controlsOf(json)
      .flatMap(({ name, control }) => toCorrelation(name, control) ?? [])
      .at(0),
    states: read.objects(json['state']).map(toState),
  }
}

function toStrategy(json: JsonObject): SequenceStrategy {
  const given = read.object(json['oldest'] ?? json['direct'])
  const queueDelayMs = read.number(given['max_queue_delay_microseconds']) / US_PER_MS
  if (json['oldest'] === undefined) {
    const minimumUtilization = read.number(given['minimum_slot_utilization'])
    return { kind: 'direct', minimumUtilization, queueDelayMs }
  }
  return {
    kind: 'oldest',
    preferredSizes: read.numbers(given['preferred_batch_size']),
    queueDelayMs,
  }
}

function controlsOf(json: JsonObject) {
  return read.objects(json['control_input']).flatMap((input) => {
    const name = read.text(input['name'])
    return read.objects(input['control']).map((control) => ({ name, control }))
  })
}

const FLAG_KINDS = {
  CONTROL_SEQUENCE_START: 'start',
  CONTROL_SEQUENCE_END: 'end',
  CONTROL_SEQUENCE_READY: 'ready',
} as const

function toFlag(name: string, control: JsonObject): FlagControl | undefined {
  const kindName = read.text(control['kind'])
  const kind = Object.entries(FLAG_KINDS).find(([known]) => known === kindName)?.[1]
  if (kind === undefined) return undefined
  for (const [list, datatype] of [
    ['int32_false_true', 'INT32'],
    ['fp32_false_true', 'FP32'],
    ['bool_false_true', 'BOOL'],
  ] as const) {
    const values: unknown = control[list]
    if (!Array.isArray(values) || values.length === 0) continue
    const [no, yes] = values.map(Number)
    return { kind, name, datatype, falseTrue: [no ?? 0, yes ?? 1] }
  }
  return undefined
}

function toCorrelation(name: string, control: JsonObject): CorrelationControl | undefined {
  if (control['kind'] !== 'CONTROL_SEQUENCE_CORRID') return undefined
  return { name, datatype: toDatatype(control['data_type']) }
}

const MEMORY_HINTS = ['use_same_buffer_for_input_output', 'use_growable_memory']

function toState(json: JsonObject): SequenceState {
  const [initial] = read.objects(json['initial_state'])
  const datatype: Datatype = toDatatype(json['data_type'])
  const file = initial?.['data_file']
  return {
    inputName: read.text(json['input_name']),
    outputName: read.text(json['output_name']),
    datatype,
    dims: read.numbers(json['dims']),
    initial: initial && {
      dims: read.numbers(initial['dims']),
      content: typeof file === 'string' ? { file } : 'zeros',
    },
    memoryHints: MEMORY_HINTS.filter((hint) => json[hint] === true),
  }
}
