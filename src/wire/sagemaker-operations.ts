import type {
  AddTagsInput,
  AddTagsOutput,
  CompilationJobSummary,
  CreateCompilationJobRequest,
  CreateCompilationJobResponse,
  CreateEndpointConfigInput,
  CreateEndpointConfigOutput,
  CreateEndpointInput,
  CreateEndpointOutput,
  CreateModelInput,
  CreateModelOutput,
  DeleteCompilationJobRequest,
  DeleteEndpointConfigInput,
  DeleteEndpointInput,
  DeleteModelInput,
  DeleteTagsInput,
  DeleteTagsOutput,
  DescribeCompilationJobRequest,
  DescribeCompilationJobResponse,
  DescribeEndpointConfigInput,
  DescribeEndpointConfigOutput,
  DescribeEndpointInput,
  DescribeEndpointOutput,
  DescribeModelInput,
  DescribeModelOutput,
  ListCompilationJobsRequest,
  ListCompilationJobsResponse,
  ListEndpointConfigsInput,
  ListEndpointConfigsOutput,
  ListEndpointsInput,
  ListEndpointsOutput,
  ListModelsInput,
  ListModelsOutput,
  ListTagsInput,
  ListTagsOutput,
  ProductionVariantInstanceType,
  StopCompilationJobRequest,
  UpdateEndpointInput,
  UpdateEndpointOutput,
  UpdateEndpointWeightsAndCapacitiesInput,
  UpdateEndpointWeightsAndCapacitiesOutput,
} from '@aws-sdk/client-sagemaker'
import type { JsonObject } from '../domain/json.ts'
import { encodeJsonOutput, parseJsonInput } from './aws-json.ts'
import { assertValid, isLocalInstanceType } from './validate.ts'

/** An SDK shape after validation: required members are there. */
export type Validated<T> = T extends Date
  ? Date
  : T extends readonly (infer Element)[]
    ? readonly Validated<Element>[]
    : T extends object
      ? {
          readonly [Key in keyof T]: Record<never, never> extends Pick<T, Key>
            ? Validated<T[Key]>
            : Validated<NonNullable<T[Key]>>
        }
      : T

/** Input of an operation as its caller may rely on it, and output as the encoder takes it. */
interface Shapes<Input, Output> {
  readonly input: Validated<Input>
  readonly output: Output
}

/** Operations without output answer an empty body. */
type NoOutput = Record<never, never>

/** The SageMaker operations that Berth offers, with the SDK's own shapes. */
export interface OperationShapes {
  readonly AddTags: Shapes<AddTagsInput, AddTagsOutput>
  readonly CreateCompilationJob: Shapes<CreateCompilationJobRequest, CreateCompilationJobResponse>
  readonly CreateEndpoint: Shapes<CreateEndpointInput, CreateEndpointOutput>
  readonly CreateEndpointConfig: Shapes<CreateEndpointConfigInput, CreateEndpointConfigOutput>
  readonly CreateModel: Shapes<CreateModelInput, CreateModelOutput>
  readonly DeleteCompilationJob: Shapes<DeleteCompilationJobRequest, NoOutput>
  readonly DeleteEndpoint: Shapes<DeleteEndpointInput, NoOutput>
  readonly DeleteEndpointConfig: Shapes<DeleteEndpointConfigInput, NoOutput>
  readonly DeleteModel: Shapes<DeleteModelInput, NoOutput>
  readonly DeleteTags: Shapes<DeleteTagsInput, DeleteTagsOutput>
  readonly DescribeCompilationJob: Shapes<
    DescribeCompilationJobRequest,
    DescribeCompilationJobResponse
  >
  readonly DescribeEndpoint: Shapes<DescribeEndpointInput, DescribeEndpointOutput>
  readonly DescribeEndpointConfig: Shapes<DescribeEndpointConfigInput, DescribeEndpointConfigOutput>
  readonly DescribeModel: Shapes<DescribeModelInput, DescribeModelOutput>
  readonly ListEndpointConfigs: Shapes<ListEndpointConfigsInput, ListEndpointConfigsOutput>
  readonly ListCompilationJobs: Shapes<ListCompilationJobsRequest, ListCompilationJobsResponse>
  readonly ListEndpoints: Shapes<ListEndpointsInput, ListEndpointsOutput>
  readonly ListModels: Shapes<ListModelsInput, ListModelsOutput>
  readonly ListTags: Shapes<ListTagsInput, ListTagsOutput>
  readonly StopCompilationJob: Shapes<StopCompilationJobRequest, NoOutput>
  readonly UpdateEndpoint: Shapes<UpdateEndpointInput, UpdateEndpointOutput>
  readonly UpdateEndpointWeightsAndCapacities: Shapes<
    UpdateEndpointWeightsAndCapacitiesInput,
    UpdateEndpointWeightsAndCapacitiesOutput
  >
}

/** A key of {@link OperationShapes}. */
export type OperationName = keyof OperationShapes

/**
 * Parses and validates the body of an operation.
 *
 * @throws BerthError `SerializationException`: not a JSON object, or a member has the wrong JSON type.
 * @throws BerthError `ValidationException`: the input breaks a constraint of the service model.
 */
export function parseOperationInput<Name extends OperationName>(
  name: Name,
  body: Uint8Array,
): OperationShapes[Name]['input'] {
  const input = parseJsonInput(name, body)
  assertValid(name, input, isLocalInstanceType)
  return input as unknown as OperationShapes[Name]['input']
}

/** Encodes what an operation answers; an operation without output has an empty body. */
export function encodeOperationOutput<Name extends OperationName>(
  name: Name,
  output: OperationShapes[Name]['output'],
): string {
  return encodeJsonOutput(name, output)
}

/** What {@link restoreShape} gives back, by the name of the operation whose input it was. */
interface StoredShapes {
  readonly CreateCompilationJob: Omit<CreateCompilationJobRequest, 'Tags'>
  readonly CreateModel: Omit<CreateModelInput, 'Tags'>
  readonly CreateEndpointConfig: Omit<CreateEndpointConfigInput, 'Tags'>
  readonly DeploymentConfig: NonNullable<UpdateEndpointInput['DeploymentConfig']>
}

/** An input in the form in which it is stored. The inputs Berth stores hold no timestamps, so JSON keeps them whole. */
export function storeShape<Name extends keyof StoredShapes>(
  _name: Name,
  value: Validated<StoredShapes[Name]>,
): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject
}

/** The inverse of {@link storeShape}: what is stored was validated when it came in. */
export function restoreShape<Name extends keyof StoredShapes>(
  _name: Name,
  stored: JsonObject,
): StoredShapes[Name] {
  return stored as unknown as StoredShapes[Name]
}

/** An instance type for a reply. The SDK's type is a closed set; the operator's own `local.*` types are not in it. */
export function encodeInstanceType(instanceType: string): ProductionVariantInstanceType {
  return instanceType as ProductionVariantInstanceType
}

/** What a model was compiled for, in a list. The words were in a request that was valid, which the types cannot know. */
export function encodeTarget(target: {
  readonly device?: string
  readonly os?: string
  readonly arch?: string
  readonly accelerator?: string | undefined
}): Partial<CompilationJobSummary> {
  return {
    CompilationTargetDevice: target.device,
    CompilationTargetPlatformOs: target.os,
    CompilationTargetPlatformArch: target.arch,
    CompilationTargetPlatformAccelerator: target.accelerator,
  } as Partial<CompilationJobSummary>
}
