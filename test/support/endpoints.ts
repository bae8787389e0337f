import type { Deployment, Endpoint } from '../../src/domain/endpoint.ts'
import { fleetIdOf } from '../../src/domain/fleet.ts'
import type {
  FleetVariant,
  Generation,
  ObservedFleet,
  ObservedInstance,
} from '../../src/domain/fleet.ts'

/** Id of every endpoint made here unless told otherwise. */
export const ENDPOINT_ID = 'e0123456789a'

/** A variant with one instance and all the traffic. */
export function variant(changes: Partial<FleetVariant> = {}): FleetVariant {
  return {
    variantName: 'AllTraffic',
    modelName: 'digits',
    containers: [
      { hostname: 'primary', image: 'berth/echo', environment: {}, modelData: undefined },
    ],
    instanceType: 'ml.m5.large',
    routingStrategy: 'LEAST_OUTSTANDING_REQUESTS',
    modelDataDownloadTimeoutMs: 60_000,
    startupHealthTimeoutMs: 480_000,
    desiredInstanceCount: 1,
    desiredWeight: 1,
    currentInstanceCount: 0,
    currentWeight: 1,
    ...changes,
  }
}

/** A generation of a config named for its number. */
export function generation(
  number = 1,
  variants: readonly FleetVariant[] = [variant()],
): Generation {
  return { number, configName: `config-${number}`, variants }
}

/** An endpoint in service with one instance, as the controller last recorded it. */
export function endpoint(changes: Partial<Endpoint> = {}): Endpoint {
  return {
    name: 'digits',
    arn: 'arn:aws:sagemaker:us-east-1:000000000000:endpoint/digits',
    endpointId: ENDPOINT_ID,
    createdAtMs: 0,
    modifiedAtMs: 0,
    status: 'InService',
    failureReason: undefined,
    configName: 'config-1',
    serving: generation(1, [variant({ currentInstanceCount: 1 })]),
    deployment: undefined,
    lastGeneration: 1,
    lastDeploymentConfig: undefined,
    revision: 1,
    ...changes,
  }
}

/** An endpoint that CreateEndpoint has just recorded. */
export function creating(green: Generation = generation(), startedAtMs = 0): Endpoint {
  const deployment: Deployment = { kind: 'create', green, startedAtMs }
  return endpoint({ status: 'Creating', serving: undefined, deployment })
}

/** An instance that has been ready since the beginning of time. */
export function instance(
  instanceId: string,
  changes: Partial<ObservedInstance> = {},
): ObservedInstance {
  return {
    instanceId,
    state: 'ready',
    reason: undefined,
    address: { kind: 'socket', path: `/run/${instanceId}.sock` },
    pid: undefined,
    startedAtMs: 0,
    readyAtMs: 0,
    ...changes,
  }
}

/** A fleet that was told to run as many instances as it has. */
export function fleet(
  instances: readonly ObservedInstance[],
  changes: Partial<ObservedFleet> = {},
): ObservedFleet {
  const { endpointId = ENDPOINT_ID, generation: number = 1, variantName = 'AllTraffic' } = changes
  return {
    fleetId: fleetIdOf(endpointId, number, variantName),
    endpointName: 'digits',
    endpointId,
    variantName,
    generation: number,
    desiredInstanceCount: instances.length,
    instances,
    startFailure: undefined,
    ...changes,
  }
}
