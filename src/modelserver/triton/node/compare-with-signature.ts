import { formatShape } from '../../../wire/oip/tensor.ts'
import type { DeclaredSignature } from '../../node/worker/tensors.ts'
import type { ModelConfig } from '../model-config.ts'
import { ServingError } from '../serving-error.ts'

/**
 * Compares a configuration with what the model's `defineModel` declares.
 *
 * @throws ServingError INVALID_ARG: they have other tensors, or batches of more rows than the model takes.
 */
export function compareWithSignature(config: ModelConfig, signature: DeclaredSignature): void {
  const { name, maxBatchSize } = config
  const isBatched = maxBatchSize > 0
  if (isBatched !== signature.maxBatchSize > 0 || maxBatchSize > signature.maxBatchSize) {
    throw refusal(
      `model '${name}': the configuration has max_batch_size ${maxBatchSize}, and the model takes ${signature.maxBatchSize}`,
    )
  }
  if (config.isDecoupled !== signature.isDecoupled) {
    throw refusal(
      `model '${name}': the configuration says decoupled ${config.isDecoupled}, and the model ${signature.isDecoupled}`,
    )
  }
  for (const role of ['inputs', 'outputs'] as const) {
    const declared = signature[role]
    if (config[role].length !== declared.length) {
      throw refusal(
        `unable to load model '${name}', configuration expects ${config[role].length} ${role}, model provides ${declared.length}`,
      )
    }
    for (const port of config[role]) {
      const own = declared.find((one) => one.name === port.name)
      const allowed = declared.map((one) => one.name).join(', ')
      if (own === undefined) {
        throw refusal(
          `unexpected inference ${role.slice(0, -1)} '${port.name}', allowed ${role} are: ${allowed}`,
        )
      }
      const dims = port.reshape ?? port.dims
      const isSame =
        dims.length === own.dims.length &&
        own.dims.every((dim, axis) => dim === -1 || dim === dims[axis])
      if (port.datatype === own.datatype && isSame) continue
      throw refusal(
        `model '${name}', tensor '${port.name}': the model expects ${own.datatype} ${formatShape(own.dims)} but the model ` +
          `configuration specifies ${port.datatype} ${formatShape(dims)}`,
      )
    }
  }
}

function refusal(message: string): ServingError {
  return new ServingError('INVALID_ARG', message)
}
