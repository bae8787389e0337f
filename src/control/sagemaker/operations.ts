import { BerthError } from '../../domain/errors.ts'
import { findOperation } from '../../wire/operations.ts'
import { encodeOperationOutput, parseOperationInput } from '../../wire/sagemaker-operations.ts'
import type { OperationName } from '../../wire/sagemaker-operations.ts'
import { addTags } from './add-tags.ts'
import { createCompilationJob } from './create-compilation-job.ts'
import { createEndpointConfig } from './create-endpoint-config.ts'
import { createEndpoint } from './create-endpoint.ts'
import { createModel } from './create-model.ts'
import { deleteCompilationJob } from './delete-compilation-job.ts'
import { deleteEndpointConfig } from './delete-endpoint-config.ts'
import { deleteEndpoint } from './delete-endpoint.ts'
import { deleteModel } from './delete-model.ts'
import { deleteTags } from './delete-tags.ts'
import { describeCompilationJob } from './describe-compilation-job.ts'
import { describeEndpointConfig } from './describe-endpoint-config.ts'
import { describeEndpoint } from './describe-endpoint.ts'
import { describeModel } from './describe-model.ts'
import { listCompilationJobs } from './list-compilation-jobs.ts'
import { listEndpointConfigs } from './list-endpoint-configs.ts'
import { listEndpoints } from './list-endpoints.ts'
import { listModels } from './list-models.ts'
import { listTags } from './list-tags.ts'
import type { Operation, OperationContext } from './operation.ts'
import { stopCompilationJob } from './stop-compilation-job.ts'
import { updateEndpointWeightsAndCapacities } from './update-endpoint-weights-and-capacities.ts'
import { updateEndpoint } from './update-endpoint.ts'

/** Every SageMaker operation that Berth offers. */
export const OPERATIONS: { readonly [Name in OperationName]: Operation<Name> } = {
  AddTags: addTags,
  CreateCompilationJob: createCompilationJob,
  CreateEndpoint: createEndpoint,
  CreateEndpointConfig: createEndpointConfig,
  CreateModel: createModel,
  DeleteCompilationJob: deleteCompilationJob,
  DeleteEndpoint: deleteEndpoint,
  DeleteEndpointConfig: deleteEndpointConfig,
  DeleteModel: deleteModel,
  DeleteTags: deleteTags,
  DescribeCompilationJob: describeCompilationJob,
  DescribeEndpoint: describeEndpoint,
  DescribeEndpointConfig: describeEndpointConfig,
  DescribeModel: describeModel,
  ListCompilationJobs: listCompilationJobs,
  ListEndpointConfigs: listEndpointConfigs,
  ListEndpoints: listEndpoints,
  ListModels: listModels,
  ListTags: listTags,
  StopCompilationJob: stopCompilationJob,
  UpdateEndpoint: updateEndpoint,
  UpdateEndpointWeightsAndCapacities: updateEndpointWeightsAndCapacities,
}

/**
 * Runs one operation on its JSON body.
 *
 * @returns the JSON of the reply; empty for an operation without output.
 * @throws BerthError `UnknownOperationException`: not an operation, or one that Berth does not offer.
 * @throws BerthError: what parsing, validation and the operation refuse.
 */
export async function runOperation(
  name: string,
  body: Uint8Array,
  context: OperationContext,
): Promise<string> {
  if (!isOffered(name)) throw unknownOperation(name)
  return runOffered(name, body, context)
}

async function runOffered<Name extends OperationName>(
  name: Name,
  body: Uint8Array,
  context: OperationContext,
): Promise<string> {
  const operation: Operation<Name> = OPERATIONS[name]
  const input = parseOperationInput(name, body)
  return encodeOperationOutput(name, await operation.run(input, context))
}

function isOffered(name: string): name is OperationName {
  return Object.hasOwn(OPERATIONS, name)
}

function unknownOperation(name: string): BerthError {
  const message =
    findOperation(name) === 'unknown'
      ? `SageMaker has no operation ${name.slice(0, 128)}.`
      : `The operation ${name} is not offered by this version of Berth.`
  return new BerthError('UnknownOperationException', message)
}
