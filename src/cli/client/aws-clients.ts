import type { S3Client } from '@aws-sdk/client-s3'
import type { SageMakerClient } from '@aws-sdk/client-sagemaker'
import type { SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime'
import type { BerthTarget } from './find-berth.ts'

// Each client is loaded by the command that needs it: together they would triple the start time of all of them.

/** Client of the control plane. */
export async function createSageMakerClient(target: BerthTarget): Promise<SageMakerClient> {
  const { SageMakerClient } = await import('@aws-sdk/client-sagemaker')
  return new SageMakerClient(settingsOf(target))
}

/** Client for invocations. One attempt: a person wants to see what happened, not what happened the third time. */
export async function createRuntimeClient(target: BerthTarget): Promise<SageMakerRuntimeClient> {
  const { SageMakerRuntimeClient } = await import('@aws-sdk/client-sagemaker-runtime')
  return new SageMakerRuntimeClient({ ...settingsOf(target), maxAttempts: 1 })
}

/** Client of the object store. */
export async function createS3Client(target: BerthTarget): Promise<S3Client> {
  const { S3Client } = await import('@aws-sdk/client-s3')
  return new S3Client({ ...settingsOf(target), forcePathStyle: true })
}

function settingsOf(target: BerthTarget) {
  const { url, region, credentials } = target
  // Everything a profile or variable could set otherwise is given, so that ~/.aws is not even read.
  return { endpoint: url, region, credentials, maxAttempts: 3, retryMode: 'standard', profile: '' }
}
