import { OipError } from './errors.ts'
import type { ModelConfig, SequenceBatchingConfig, SequenceControlConfig } from './model-config.ts'
import { validateSequenceStates } from './sequence-state-validate.ts'

const CORRELATION = 'CONTROL_SEQUENCE_CORRID'
const CORRELATION_TYPES: ReadonlySet<string> = new Set([
  'TYPE_UINT64',
  'TYPE_INT64',
  'TYPE_UINT32',
  'TYPE_INT32',
  'TYPE_STRING',
])
// In the order in which Triton looks for them.
const KINDS = ['START', 'END', 'READY', 'CORRID'].map((kind) => `CONTROL_SEQUENCE_${kind}`)

/** @throws OipError `INVALID_ARG` in Triton's words. */
export function validateSequenceBatching(
  config: ModelConfig,
  batching: SequenceBatchingConfig,
): void {
  const { name } = config
  const { direct, oldest } = batching
  for (const size of oldest?.preferred_batch_size ?? []) {
    if (size <= 0)
      throw refusal(`sequence batching preferred batch size must be positive for ${name}`)
    if (size > config.max_batch_size) {
      throw refusal(`sequence batching preferred batch size must be <= max batch size for ${name}`)
    }
  }
  const utilization = direct?.minimum_slot_utilization ?? 0
  if (utilization < 0 || utilization > 1) {
    throw refusal(
      `sequence batching minimum slot utilization must be in range (0.0, 1.0] for ${name}`,
    )
  }
  for (const { name: tensor } of batching.control_input) {
    if (tensor === '')
      throw refusal(`sequence batching control tensor must have a name for ${name}`)
  }
  const controls = batching.control_input.flatMap(({ control }) => control)
  for (const kind of KINDS) {
    const [control, ...more] = controls.filter((one) => one.kind === kind)
    if (control === undefined) continue
    if (more.length > 0)
      throw refusal(`sequence batching specifies multiple ${kind} tensors for ${name}`)
    if (kind === CORRELATION) validateCorrelation(name, control)
    else validateFlag(name, control)
  }
  validateSequenceStates(batching.state)
}

function validateCorrelation(model: string, control: SequenceControlConfig): void {
  if (valueListsOf(control).length > 0) {
    throw refusal(
      "sequence batching must not specify either 'int32_false_true', 'fp32_false_true' or 'bool_false_true' for " +
        `${CORRELATION} for ${model}`,
    )
  }
  if (CORRELATION_TYPES.has(control.data_type)) return
  throw refusal(
    `unexpected data type for control ${CORRELATION} for ${model}. Allowed data types are TYPE_UINT64, TYPE_INT64, ` +
      'TYPE_UINT32, TYPE_INT32 and TYPE_STRING',
  )
}

function validateFlag(model: string, control: SequenceControlConfig): void {
  const { kind } = control
  const [list, ...more] = valueListsOf(control)
  if (list === undefined) {
    throw refusal(
      "sequence batching must specify either 'int32_false_true', 'fp32_false_true' or 'bool_false_true' for " +
        `${kind} for ${model}`,
    )
  }
  if (more.length > 0) {
    throw refusal(
      "sequence batching specifies more than one from 'int32_false_true', 'fp32_false_true' and 'bool_false_true' for " +
        `${kind} for ${model}`,
    )
  }
  if (control[list].length !== 2) {
    throw refusal(
      `sequence batching control '${list}' must have exactly 2 entries for ${kind} for ${model}`,
    )
  }
}

const VALUE_LISTS = ['int32_false_true', 'fp32_false_true', 'bool_false_true'] as const

function valueListsOf(control: SequenceControlConfig) {
  return VALUE_LISTS.filter((name) => control[name].length > 0)
}

function refusal(message: string): OipError {
  return new OipError('INVALID_ARG', message)
}
