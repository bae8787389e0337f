import { describeBatch } from '../../domain/ragged-batch.ts'
import type { Tensor } from '../../wire/oip/tensor.ts'
import type { InferenceRequest } from './backend.ts'
import type { BatchForm } from './batch-form.ts'

/** The tensors that tell a model how the requests of a batch are put together. */
export function batchInputsOf(
  { batchInputs }: BatchForm,
  requests: readonly InferenceRequest[],
): readonly Tensor[] {
  return batchInputs.flatMap(({ kind, targets, datatype, source }) => {
    const shapes = requests.flatMap(({ inputs }) => {
      const input = inputs.find(({ name }) => name === source)
      return input === undefined ? [] : [input.shape]
    })
    const { shape, values } = describeBatch(kind, shapes)
    const list = datatype === 'INT32' ? Int32Array.from(values) : Float32Array.from(values)
    const data = new Uint8Array(list.buffer)
    return targets.map((name): Tensor => ({ name, datatype, shape, data }))
  })
}
