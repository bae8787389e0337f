import type { Endpoint } from '../../domain/endpoint.ts'
import type { JsonObject } from '../../domain/json.ts'
import type { OperationShapes } from '../../wire/sagemaker-operations.ts'
import { storeShape } from '../../wire/sagemaker-operations.ts'
import { changeEndpoint, recordRequest, refuseFailed } from './change-endpoint.ts'
import { createGeneration, retainVariants } from './generation.ts'
import type { Retained } from './generation.ts'
import { DEPLOYMENT_ROWS, refuseNotOffered } from './not-offered.ts'
import type { Operation, OperationContext } from './operation.ts'
import { invalid, notFound } from './refusals.ts'

type UpdateInput = OperationShapes['UpdateEndpoint']['input']

/** Records a new generation beside the serving one; the endpoint controller builds it and moves the traffic. */
export const updateEndpoint: Operation<'UpdateEndpoint'> = {
  name: 'UpdateEndpoint',
  async run(input, context) {
    const { EndpointName, EndpointConfigName, DeploymentConfig, RetainDeploymentConfig } = input
    if (DeploymentConfig !== undefined) {
      if (RetainDeploymentConfig === true) {
        throw invalid('DeploymentConfig and RetainDeploymentConfig may not be given together.')
      }
      refuseNotOffered(DEPLOYMENT_ROWS, DeploymentConfig, 'deploymentConfig')
    }
    const updated = await changeEndpoint(EndpointName, context, (endpoint) =>
      withNewGeneration(endpoint, input, context),
    )
    await recordRequest(context, updated.name, {
      kind: 'update-requested',
      reason: `UpdateEndpoint from endpoint config ${updated.configName} to ${EndpointConfigName}.`,
      inputs: {
        configName: EndpointConfigName,
        generation: updated.lastGeneration,
        retainsVariantProperties: input.RetainAllVariantProperties === true,
      },
    })
    return { EndpointArn: updated.arn }
  },
}

async function withNewGeneration(
  endpoint: Endpoint,
  input: UpdateInput,
  context: OperationContext,
): Promise<Endpoint> {
  const { installation, store, clock } = context
  refuseFailed(endpoint)
  const config = await store.findEndpointConfig(input.EndpointConfigName)
  if (config === undefined) {
    throw notFound(installation, 'endpoint-config', input.EndpointConfigName)
  }
  // The service looks up the config that is replaced, too: deleting it makes the endpoint unchangeable.
  if ((await store.findEndpointConfig(endpoint.configName)) === undefined) {
    throw notFound(installation, 'endpoint-config', endpoint.configName)
  }
  const number = endpoint.lastGeneration + 1
  const fresh = await createGeneration(number, config, context)
  const nowMs = clock.nowMs()
  return {
    ...endpoint,
    modifiedAtMs: nowMs,
    status: 'Updating',
    failureReason: undefined,
    deployment: {
      kind: 'update',
      green: retainVariants(fresh, (name) => retainedOf(endpoint, input, name)),
      startedAtMs: nowMs,
    },
    lastGeneration: number,
    lastDeploymentConfig: deploymentConfigOf(endpoint, input),
  }
}

function retainedOf(
  { serving }: Endpoint,
  { RetainAllVariantProperties, ExcludeRetainedVariantProperties = [] }: UpdateInput,
  variantName: string,
): Partial<Retained> {
  const variant = serving?.variants.find((candidate) => candidate.variantName === variantName)
  if (RetainAllVariantProperties !== true || variant === undefined) return {}
  const excluded = new Set(
    ExcludeRetainedVariantProperties.map(({ VariantPropertyType }) => VariantPropertyType),
  )
  const { desiredInstanceCount, desiredWeight } = variant
  return {
    ...(excluded.has('DesiredInstanceCount') ? {} : { desiredInstanceCount }),
    ...(excluded.has('DesiredWeight') ? {} : { desiredWeight }),
  }
}

function deploymentConfigOf(
  { lastDeploymentConfig }: Endpoint,
  { DeploymentConfig }: UpdateInput,
): JsonObject | undefined {
  if (DeploymentConfig === undefined) return lastDeploymentConfig
  return storeShape('DeploymentConfig', DeploymentConfig)
}
