import { OipError } from './errors.ts'
import type { EnsembleStepConfig, ModelConfig } from './model-config.ts'

/**
 * Looks at an ensemble as far as it can be seen without its models.
 *
 * @throws OipError `INVALID_ARG` in Triton's words, slips of the pen included.
 */
export function validateEnsemble(config: ModelConfig, steps: readonly EnsembleStepConfig[]): void {
  const { name } = config
  if (config.instance_group.length > 0) {
    throw refusal(`instance group should not be specified for ensemble '${name}'`)
  }
  if (config.optimization !== undefined) {
    throw refusal(`optimization should not be specified for ensemble '${name}'`)
  }
  if (config.model_warmup.length > 0) {
    throw refusal(`model_warmup can not be specified for ensemble '${name}'`)
  }
  if (steps.length === 0) throw refusal(`must specify 'step' for ensemble '${name}'`)
  const made = new Set(config.input.map((input) => input.name))
  const used = new Set<string>()
  for (const [index, step] of steps.entries()) validateStep({ name, index, made, used }, step)
  validateUse(config, { made, used })
}

interface Walk {
  readonly name: string
  readonly index: number
  /** Tensors that some step so far has made, and the inputs. */
  readonly made: Set<string>
  readonly used: Set<string>
}

function validateStep({ name, index, made, used }: Walk, step: EnsembleStepConfig): void {
  if (step.model_name === '') {
    throw refusal(`must specify 'model_name' in step ${index} of ensemble '${name}'`)
  }
  for (const map of ['input_map', 'output_map'] as const) {
    if (Object.keys(step[map]).length === 0) {
      throw refusal(`must specify '${map}' in step ${index} of ensemble '${name}'`)
    }
  }
  for (const tensor of Object.values(step.input_map)) used.add(tensor)
  for (const tensor of Object.values(step.output_map)) {
    if (made.has(tensor)) {
      throw refusal(
        `ensemble tensor '${tensor}' can appear in an output map only once for ensemble '${name}' step ${index}`,
      )
    }
    made.add(tensor)
  }
}

function validateUse(
  { name, input, output }: ModelConfig,
  { made, used }: Pick<Walk, 'made' | 'used'>,
): void {
  const idleInput = input.find((one) => !used.has(one.name))
  if (idleInput !== undefined) {
    throw refusal(`ensemble input '${idleInput.name}' for ensemble ${name}' is not used`)
  }
  const idleOutput = output.find((one) => !made.has(one.name))
  if (idleOutput !== undefined) {
    throw refusal(`ensemble output '${idleOutput.name}' for ensemble ${name}' is not used`)
  }
  const unmade = [...used].find((tensor) => !made.has(tensor))
  if (unmade !== undefined) {
    throw refusal(`ensemble tensor '${unmade}' is used and made by no step of ensemble '${name}'`)
  }
}

function refusal(message: string): OipError {
  return new OipError('INVALID_ARG', message)
}
