import type { DataTypeName, ModelConfig, SequenceControlConfig } from './model-config.ts'

/** An input of a model that the server fills, not the client. */
export interface ServerInput {
  readonly name: string
  readonly data_type: DataTypeName
  /** Without the batch dimension; undefined where it has a shape of its own. */
  readonly dims: readonly number[] | undefined
  readonly role: 'sequence control' | 'sequence state' | 'batch input'
}

/** The inputs that a configuration has the server fill. */
export function serverInputsOf(
  config: Pick<ModelConfig, 'sequence_batching' | 'batch_input'>,
): readonly ServerInput[] {
  const { sequence_batching: sequence, batch_input: batchInputs } = config
  const controls = (sequence?.control_input ?? []).flatMap(({ name, control }) =>
    control.map((one): ServerInput => {
      return { name, data_type: typeOf(one), dims: [1], role: 'sequence control' }
    }),
  )
  const states = (sequence?.state ?? []).map(
    ({ input_name: name, data_type: type, dims }): ServerInput => {
      return { name, data_type: type, dims, role: 'sequence state' }
    },
  )
  const told = batchInputs.flatMap(({ target_name: targets, data_type: type }) =>
    targets.map((name): ServerInput => {
      return { name, data_type: type, dims: undefined, role: 'batch input' }
    }),
  )
  return [...controls, ...states, ...told]
}

function typeOf(control: SequenceControlConfig): DataTypeName {
  if (control.int32_false_true.length > 0) return 'TYPE_INT32'
  if (control.fp32_false_true.length > 0) return 'TYPE_FP32'
  return control.bool_false_true.length > 0 ? 'TYPE_BOOL' : control.data_type
}
