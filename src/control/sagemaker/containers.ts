import type { Container, ModelDataSource } from '../../domain/model.ts'
import type { OperationShapes } from '../../wire/sagemaker-operations.ts'
import { CONTAINER_ROWS, MODEL_DATA_ROWS, refuseNotOffered } from './not-offered.ts'
import { executionModeOf, hostnamesOf } from './execution-mode.ts'
import { MULTI_MODEL_ENVIRONMENT, multiModelOf } from './multi-model.ts'
import { invalid } from './refusals.ts'

type ModelInput = OperationShapes['CreateModel']['input']
type ContainerInput = NonNullable<ModelInput['PrimaryContainer']>

// Source: SageMaker API reference, `ContainerDefinition.Environment`.
const ENVIRONMENT_BYTES_MAX = 32 * 1024
const ENVIRONMENT_ENTRY_BYTES_MAX = 1024

/**
 * The containers of a CreateModel request.
 *
 * @throws BerthError `ValidationException`: none or two ways of giving containers, or a container breaks a rule.
 */
export function containersOf(input: ModelInput): readonly Container[] {
  const { PrimaryContainer, Containers } = input
  if ((PrimaryContainer === undefined) === ((Containers?.length ?? 0) === 0)) {
    throw invalid('CreateModel needs either PrimaryContainer or Containers, and not both.')
  }
  const containers =
    PrimaryContainer === undefined
      ? (Containers ?? []).map((container, at) => ({
          container,
          at: `containers.${at + 1}.member`,
        }))
      : [{ container: PrimaryContainer, at: 'primaryContainer' }]
  const hostnames = hostnamesOf(input)
  const result = containers.map(({ container, at }, index) =>
    containerOf(container, at, hostnames[index] ?? ''),
  )
  refuseModelsOfSeveral(result, executionModeOf(input) === 'Direct')
  refuseLargeEnvironment(result)
  return result
}

function containerOf(container: ContainerInput, at: string, hostname: string): Container {
  refuseNotOffered(CONTAINER_ROWS, container, at)
  const { Image, Environment = {} } = container
  if (Image === undefined) throw invalid(`'${at}.image' is required.`)
  const multiModel = multiModelOf(container, at)
  if (multiModel !== undefined) {
    const environment = { ...Environment, ...MULTI_MODEL_ENVIRONMENT }
    return { hostname, image: Image, environment, modelData: undefined, multiModel }
  }
  return {
    hostname,
    image: Image,
    environment: { ...Environment },
    modelData: modelDataOf(container, at),
  }
}

function modelDataOf(container: ContainerInput, at: string): ModelDataSource | undefined {
  const { ModelDataUrl, ModelDataSource } = container
  if (ModelDataUrl !== undefined && ModelDataSource !== undefined) {
    throw invalid(`'${at}' has ModelDataUrl and ModelDataSource; only one of them may be given.`)
  }
  if (ModelDataUrl !== undefined) return { kind: 'archive', url: ModelDataUrl }
  if (ModelDataSource === undefined) return undefined
  const source = ModelDataSource.S3DataSource
  if (source === undefined) throw invalid(`'${at}.modelDataSource.s3DataSource' is required.`)
  refuseNotOffered(MODEL_DATA_ROWS, source, `${at}.modelDataSource.s3DataSource`)
  return sourceOf(source)
}

function sourceOf(source: {
  readonly S3Uri: string
  readonly S3DataType: string
  readonly CompressionType: string
}): ModelDataSource {
  const { S3Uri: url, S3DataType, CompressionType } = source
  const isPrefix = S3DataType === 'S3Prefix'
  if (isPrefix !== url.endsWith('/')) {
    throw invalid(
      isPrefix
        ? `S3Uri "${url}" must end with "/" when S3DataType is S3Prefix.`
        : `S3Uri "${url}" must not end with "/" when S3DataType is S3Object.`,
    )
  }
  if (CompressionType === 'Gzip') {
    if (isPrefix) throw invalid('CompressionType Gzip needs S3DataType S3Object.')
    return { kind: 'archive', url }
  }
  return { kind: isPrefix ? 'prefix' : 'object', url }
}

// Of a pipeline one container may serve many models: an invocation names one of them. With direct invocation AWS's documents
// know of none. Source: control-plane reference §5.4, data-plane reference §8.3.
function refuseModelsOfSeveral(containers: readonly Container[], isDirect: boolean): void {
  const [first, second] = containers.flatMap(({ multiModel }, index) =>
    multiModel === undefined ? [] : [`'containers.${index + 1}.member.mode'`],
  )
  if (isDirect && first !== undefined) {
    throw invalid(
      `${first} is MultiModel; containers that are invoked directly serve one model each.`,
    )
  }
  if (second === undefined) return
  throw invalid(`${first} and ${second} are MultiModel; a pipeline may have one such container.`)
}

function refuseLargeEnvironment(containers: readonly Container[]): void {
  let totalBytes = 0
  for (const [key, value] of containers.flatMap(({ environment }) => Object.entries(environment))) {
    const entryBytes = [Buffer.byteLength(key), Buffer.byteLength(value)]
    if (entryBytes.some((bytes) => bytes > ENVIRONMENT_ENTRY_BYTES_MAX)) {
      throw invalid(
        `Key and value of environment variable "${key.slice(0, 64)}" may have ${ENVIRONMENT_ENTRY_BYTES_MAX} bytes each.`,
      )
    }
    totalBytes += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  if (totalBytes > ENVIRONMENT_BYTES_MAX) {
    throw invalid(
      `The environment of all containers has ${totalBytes} bytes; ${ENVIRONMENT_BYTES_MAX} are allowed.`,
    )
  }
}
