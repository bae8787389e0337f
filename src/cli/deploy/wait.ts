import { setTimeout as sleep } from 'node:timers/promises'
import { DescribeEndpointCommand } from '@aws-sdk/client-sagemaker'
import type { DescribeEndpointOutput, SageMakerClient } from '@aws-sdk/client-sagemaker'
import { isNotFound } from '../failure.ts'
import type { Progress } from '../terminal/progress.ts'

const POLL_MS = 200

const SETTLED = new Set(['InService', 'Failed', 'OutOfService', 'UpdateRollbackFailed'])

/** The endpoint, or `undefined` when there is none of this name. */
export async function findEndpoint(
  client: SageMakerClient,
  name: string,
): Promise<DescribeEndpointOutput | undefined> {
  try {
    return await client.send(new DescribeEndpointCommand({ EndpointName: name }))
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

/** Waits until nothing about the endpoint is in progress any more; `undefined` when it is gone. */
export async function waitUntilSettled(
  client: SageMakerClient,
  name: string,
  progress: Progress,
): Promise<DescribeEndpointOutput | undefined> {
  for (;;) {
    const endpoint = await findEndpoint(client, name)
    const status = endpoint?.EndpointStatus
    if (status === undefined || SETTLED.has(status)) return endpoint
    progress.update(`${name} is ${status}${describeCounts(endpoint)}`)
    await sleep(POLL_MS)
  }
}

function describeCounts(endpoint: DescribeEndpointOutput | undefined): string {
  const variants =
    endpoint?.PendingDeploymentSummary?.ProductionVariants ?? endpoint?.ProductionVariants ?? []
  const ready = variants.reduce((sum, variant) => sum + (variant.CurrentInstanceCount ?? 0), 0)
  const desired = variants.reduce((sum, variant) => sum + (variant.DesiredInstanceCount ?? 0), 0)
  return desired === 0 ? '' : `, ${ready} of ${desired} instances ready`
}
