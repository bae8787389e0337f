import {
  CreateEndpointCommand,
  CreateEndpointConfigCommand,
  CreateModelCommand,
  DescribeEndpointCommand,
} from '@aws-sdk/client-sagemaker'
import type { ContainerDefinition, DescribeEndpointCommandOutput } from '@aws-sdk/client-sagemaker'

import { signedFetch } from '../../src/cli/client/signed-fetch.ts'
import type { EndpointEvent } from '../../src/domain/event.ts'
import type { InstanceModelsReport } from '../../src/domain/multi-model/model-report.ts'
import type { ObservedInstance } from '../../src/domain/fleet.ts'
import type { RunningBerth } from './berth.ts'
import { until } from './until.ts'

/** A model and how it is served. */
export interface Deployable {
  /** Name of the model, the config and the endpoint. */
  readonly name: string
  /** @defaultValue berth/echo */
  readonly image?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly modelDataUrl?: string
  /** Makes `modelDataUrl` the prefix of many models. */
  readonly multiModel?: { readonly isCaching: boolean }
  /** Several containers, instead of one of the members above. */
  readonly containers?: ContainerDefinition[]
  /** How several containers are invoked. @defaultValue Serial */
  readonly executionMode?: 'Serial' | 'Direct'
  /** @defaultValue 1 */
  readonly instanceCount?: number
}

/** Creates a model and a config for it, both of this name. */
export async function createConfig(berth: RunningBerth, deployable: Deployable): Promise<void> {
  const { name, image = 'berth/echo', environment, modelDataUrl, instanceCount = 1 } = deployable
  const { multiModel, containers, executionMode } = deployable
  await berth.sagemaker.send(
    new CreateModelCommand({
      ModelName: name,
      ExecutionRoleArn: 'arn:aws:iam::000000000000:role/berth',
      ...(containers !== undefined && { Containers: containers }),
      ...(executionMode !== undefined && { InferenceExecutionConfig: { Mode: executionMode } }),
      ...(containers === undefined && {
        PrimaryContainer: {
          Image: image,
          ...(environment !== undefined && { Environment: { ...environment } }),
          ...(modelDataUrl !== undefined && { ModelDataUrl: modelDataUrl }),
          ...(multiModel !== undefined && {
            Mode: 'MultiModel',
            MultiModelConfig: { ModelCacheSetting: multiModel.isCaching ? 'Enabled' : 'Disabled' },
          }),
        },
      }),
    }),
  )
  await berth.sagemaker.send(
    new CreateEndpointConfigCommand({
      EndpointConfigName: name,
      ProductionVariants: [
        {
          VariantName: 'AllTraffic',
          ModelName: name,
          InstanceType: 'ml.m5.large',
          InitialInstanceCount: instanceCount,
          // The least that SageMaker allows.
          ContainerStartupHealthCheckTimeoutInSeconds: 60,
        },
      ],
    }),
  )
}

/** Creates model, config and endpoint; resolves once CreateEndpoint was acknowledged. */
export async function createEndpoint(berth: RunningBerth, deployable: Deployable): Promise<void> {
  await createConfig(berth, deployable)
  const { name } = deployable
  const input = { EndpointName: name, EndpointConfigName: name }
  await berth.sagemaker.send(new CreateEndpointCommand(input))
}

/** {@link createEndpoint}, in service. */
export async function serveEndpoint(berth: RunningBerth, deployable: Deployable): Promise<void> {
  await createEndpoint(berth, deployable)
  await untilInService(berth, deployable.name)
}

/** Waits until the endpoint is in no change any more, whichever way that ended. */
export function untilSettled(
  berth: RunningBerth,
  name: string,
): Promise<DescribeEndpointCommandOutput> {
  const settled = new Set(['InService', 'Failed'])
  const describe = new DescribeEndpointCommand({ EndpointName: name })
  return until(
    `endpoint ${name} to settle`,
    async () => {
      const description = await berth.sagemaker.send(describe)
      return settled.has(description.EndpointStatus ?? '') && description
    },
    180_000,
  )
}

/** @throws Error with the endpoint's FailureReason when it settles as anything but InService. */
export async function untilInService(berth: RunningBerth, name: string): Promise<void> {
  const { EndpointStatus, FailureReason } = await untilSettled(berth, name)
  if (EndpointStatus !== 'InService') {
    throw new Error(`Endpoint ${name} is ${EndpointStatus}: ${FailureReason}`)
  }
}

/** What Berth's own route says of an endpoint. */
export interface EndpointInside {
  readonly variants: readonly {
    readonly desiredInstanceCount: number
    readonly instances: readonly Omit<ObservedInstance, 'address'>[]
  }[]
  /** Of a multi-model endpoint. */
  readonly models?: {
    readonly instances: readonly InstanceModelsReport[]
    /** One for each variant; metrics by name. */
    readonly metrics: readonly Readonly<Record<string, MetricSum | undefined>>[]
  }
  /** Newest first. */
  readonly events: readonly EndpointEvent[]
}

interface MetricSum {
  readonly Sum: number
  readonly SampleCount: number
  readonly Average: number
}

/** Instances and events of an endpoint. */
export async function describeInside(berth: RunningBerth, name: string): Promise<EndpointInside> {
  return (await ask(berth, `/berth/endpoints/${name}`)) as EndpointInside
}

/** The ready instances of an endpoint, by id. */
export async function readyInstances(
  berth: RunningBerth,
  name: string,
): Promise<readonly { readonly instanceId: string; readonly pid: number }[]> {
  const { variants } = await describeInside(berth, name)
  const ready = variants.flatMap(({ instances }) =>
    instances.flatMap(({ instanceId, state, pid }) =>
      state === 'ready' && pid !== undefined ? [{ instanceId, pid }] : [],
    ),
  )
  return ready.toSorted((a, b) => a.instanceId.localeCompare(b.instanceId))
}

/** Waits until so many instances of an endpoint are ready, and no others exist. */
export function untilReadyCount(
  berth: RunningBerth,
  name: string,
  count: number,
): Promise<readonly { readonly instanceId: string; readonly pid: number }[]> {
  return until(
    `${count} ready instances of ${name}`,
    async () => {
      const { variants } = await describeInside(berth, name)
      const all = variants.flatMap(({ instances }) => instances)
      const ready = await readyInstances(berth, name)
      return all.length === count && ready.length === count && ready
    },
    180_000,
  )
}

/** The platform's own processes. */
export interface PlatformProcesses {
  readonly control: { readonly pid: number }
  readonly gateways: readonly { readonly pid: number; readonly uptimeMs: number }[]
  readonly instances: readonly { readonly pid: number; readonly endpointName: string }[]
}

/** What `berth describe --platform` shows. */
export async function describePlatform(berth: RunningBerth): Promise<PlatformProcesses> {
  return (await ask(berth, '/berth/platform')) as PlatformProcesses
}

// A gateway that is killed or replaced takes its connections with it, kept ones included; whoever only looks asks again.
function ask({ url, credentials }: RunningBerth, path: string): Promise<unknown> {
  return until(`an answer to ${path}`, async () => {
    try {
      const reply = await signedFetch({ url, region: 'us-east-1', credentials }, { path })
      return await reply.json()
    } catch (error) {
      if (error instanceof TypeError) return undefined
      throw error
    }
  })
}
