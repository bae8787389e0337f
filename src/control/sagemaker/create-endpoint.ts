import { randomBytes } from 'node:crypto'
import { encodeArn } from '../../domain/arn.ts'
import type { Endpoint } from '../../domain/endpoint.ts'
import { storeShape } from '../../wire/sagemaker-operations.ts'
import { recordRequest } from './change-endpoint.ts'
import { createGeneration } from './generation.ts'
import { DEPLOYMENT_ROWS, refuseNotOffered } from './not-offered.ts'
import type { Operation } from './operation.ts'
import { alreadyExists, notFound } from './refusals.ts'
import { tagsOf } from './tags.ts'

const ENDPOINT_ID_BYTES = 6

/** Records an endpoint with its first generation; the endpoint controller builds it. */
export const createEndpoint: Operation<'CreateEndpoint'> = {
  name: 'CreateEndpoint',
  async run({ EndpointName, EndpointConfigName, DeploymentConfig, Tags }, context) {
    const { installation, store, clock } = context
    if (DeploymentConfig !== undefined) {
      refuseNotOffered(DEPLOYMENT_ROWS, DeploymentConfig, 'deploymentConfig')
    }
    const tags = tagsOf(Tags)
    if ((await store.findEndpoint(EndpointName)) !== undefined) {
      throw alreadyExists(installation, 'endpoint', EndpointName)
    }
    const config = await store.findEndpointConfig(EndpointConfigName)
    if (config === undefined) throw notFound(installation, 'endpoint-config', EndpointConfigName)
    const green = await createGeneration(1, config, context)

    const arn = encodeArn(installation, 'endpoint', EndpointName)
    const nowMs = clock.nowMs()
    const endpoint: Endpoint = {
      name: EndpointName,
      arn,
      endpointId: randomBytes(ENDPOINT_ID_BYTES).toString('hex'),
      createdAtMs: nowMs,
      modifiedAtMs: nowMs,
      status: 'Creating',
      failureReason: undefined,
      configName: config.name,
      serving: undefined,
      deployment: { kind: 'create', green, startedAtMs: nowMs },
      lastGeneration: green.number,
      // Kept for a later RetainDeploymentConfig; it does not change how the endpoint is created.
      lastDeploymentConfig:
        DeploymentConfig === undefined
          ? undefined
          : storeShape('DeploymentConfig', DeploymentConfig),
      revision: 1,
    }
    if (!(await store.insertEndpoint(endpoint, tags))) {
      throw alreadyExists(installation, 'endpoint', EndpointName)
    }
    await recordRequest(context, EndpointName, {
      kind: 'create-requested',
      reason: `CreateEndpoint with endpoint config ${config.name}.`,
      inputs: { configName: config.name, generation: green.number },
    })
    return { EndpointArn: arn }
  },
}
