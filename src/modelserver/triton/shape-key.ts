import type { Tensor } from '../../wire/oip/tensor.ts'

/** Equal for requests that may share a batch: the same inputs, with rows of the same shape but where those may differ. */
export function shapeKeyOf(inputs: readonly Tensor[], raggedInputs: ReadonlySet<string>): string {
  return inputs
    .map(({ name, shape }) =>
      raggedInputs.has(name) ? `${name}:*` : `${name}:${shape.slice(1).join(',')}`,
    )
    .join(';')
}
