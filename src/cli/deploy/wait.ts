import { setTimeout as sleep } from 'node:timers/promises'
import { DescribeEndpointCommand } from '@aws-sdk/client-sagemaker'
import type { DescribeEndpointOutput, SageMakerClient } from '@aws-sdk/client-sagemaker'
import { isNotFound } from '../failure.ts'
import type { Progress } from '../terminal/progress.ts'

const POLL_MS = 200
// What an instance is doing is asked for less often.
const POLLS_PER_STEP = 5

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

/**
 * Waits until nothing about the endpoint is in progress any more; `undefined` when it is gone.
 *
 * @param findStep what its instance is doing, if that is worth telling.
 */
export async function waitUntilSettled(
  client: SageMakerClient,
  name: string,
  progress: Progress,
  findStep: () => Promise<string | undefined> = () => Promise.resolve(undefined),
): Promise<DescribeEndpointOutput | undefined> {
  let step: string | undefined
  for (let pollCount = 1; ; pollCount += 1) {
    const endpoint = await findEndpoint(client, name)
    const status = endpoint?.EndpointStatus
    if (status === undefined || SETTLED.has(status)) return endpoint
    if (pollCount % POLLS_PER_STEP === 0) step = await findStep()
    const doing = step === undefined ? describeCounts(endpoint) : `: ${step}`
    progress.update(`${name} is ${status}${doing}`)
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
