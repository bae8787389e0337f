import type { ExecutionMode } from '../../domain/model.ts'
import type { OperationShapes } from '../../wire/sagemaker-operations.ts'
import { invalid } from './refusals.ts'

type ModelInput = Pick<
  OperationShapes['CreateModel']['input'],
  'PrimaryContainer' | 'Containers' | 'InferenceExecutionConfig'
>

/** How the containers of a CreateModel request are invoked; undefined where there is one, and callers name none. */
export function executionModeOf({
  Containers = [],
  InferenceExecutionConfig,
}: ModelInput): ExecutionMode | undefined {
  const mode = InferenceExecutionConfig?.Mode ?? 'Serial'
  return mode === 'Direct' || Containers.length > 1 ? mode : undefined
}

/**
 * The hostnames of a request's containers, in their order.
 *
 * Source: control-plane reference §4.1, data-plane reference §8.1. AWS's texts are not known.
 *
 * @throws BerthError `ValidationException`: two are the same, some of a pipeline are missing, or one that callers need.
 */
export function hostnamesOf(input: ModelInput): readonly string[] {
  const { Containers = [] } = input
  const isDirect = executionModeOf(input) === 'Direct'
  if (isDirect && Containers.length === 0) {
    throw invalid(
      "InferenceExecutionConfig Mode Direct needs 'containers', not 'primaryContainer'.",
    )
  }
  if (!isDirect && Containers.length <= 1) return ['primary']
  const given = Containers.map(({ ContainerHostname }) => ContainerHostname)
  const missingAt = given.indexOf(undefined)
  if (missingAt >= 0 && (isDirect || given.some((hostname) => hostname !== undefined))) {
    const why = isDirect
      ? 'Mode Direct needs one for every container'
      : 'give one to every container of a pipeline, or to none'
    throw invalid(`'containers.${missingAt + 1}.member.containerHostname' is missing: ${why}.`)
  }
  const hostnames = given.map((hostname, index) => hostname ?? `container-${index + 1}`)
  const repeated = hostnames.find((hostname, index) => hostnames.indexOf(hostname) !== index)
  if (repeated === undefined) return hostnames
  throw invalid(`The container hostname "${repeated}" was non-unique within the request.`)
}
