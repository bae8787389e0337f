import type { BatchInputKind } from '../../domain/ragged-batch.ts'
import type { ModelConfig } from '../../wire/oip/model-config.ts'

/** How the requests of a batch are put together where their shapes may differ. */
export interface BatchForm {
  /** Inputs whose requests are joined as one row of elements. */
  readonly raggedInputs: ReadonlySet<string>
  /** Inputs of the model that tell it how the others are put together. */
  readonly batchInputs: readonly BatchInput[]
  /** Input that gives each request its share, and its shape, of an output that is one row of elements; by output. */
  readonly sourceByOutput: ReadonlyMap<string, string>
}

/** An input of the model that tells it of a batch. */
export interface BatchInput {
  readonly kind: BatchInputKind
  readonly targets: readonly string[]
  readonly datatype: 'INT32' | 'FP32'
  readonly source: string
}

const KINDS = [
  'BATCH_ELEMENT_COUNT',
  'BATCH_ACCUMULATED_ELEMENT_COUNT',
  'BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO',
  'BATCH_MAX_ELEMENT_COUNT_AS_SHAPE',
  'BATCH_ITEM_SHAPE',
  'BATCH_ITEM_SHAPE_FLATTEN',
] as const satisfies readonly BatchInputKind[]

/** The form of a model's batches; undefined when all requests of a batch have rows of one shape. */
export function toBatchForm(config: ModelConfig): BatchForm | undefined {
  const { input, batch_input: batchInputs, batch_output: batchOutputs } = config
  const ragged = input.filter(({ allow_ragged_batch: isRagged }) => isRagged)
  if (ragged.length + batchInputs.length + batchOutputs.length === 0) return undefined
  return {
    raggedInputs: new Set(ragged.map(({ name }) => name)),
    batchInputs: batchInputs.flatMap((one) => {
      const kind = KINDS.find((known) => known === one.kind)
      if (kind === undefined) return []
      const [source = ''] = one.source_input
      const datatype = one.data_type === 'TYPE_INT32' ? 'INT32' : 'FP32'
      return { kind, targets: one.target_name, datatype, source }
    }),
    sourceByOutput: new Map(
      batchOutputs.flatMap(({ target_name: targets, source_input: [source = ''] }) =>
        targets.map((target) => [target, source] as const),
      ),
    ),
  }
}
