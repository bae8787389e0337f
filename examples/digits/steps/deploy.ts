import { CreateBucketCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import {
  CreateEndpointCommand,
  CreateEndpointConfigCommand,
  CreateModelCommand,
  DeleteEndpointCommand,
  DescribeEndpointCommand,
  type DescribeEndpointOutput,
  DescribeEndpointConfigCommand,
  DescribeModelCommand,
  type SageMakerClient,
  UpdateEndpointCommand,
} from '@aws-sdk/client-sagemaker'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ModelArchive } from './archive.ts'

const BUCKET = 'berth-quickstart'
const ROLE_ARN = 'arn:aws:iam::000000000000:role/berth'
const INSTANCE_TYPE = 'ml.m5.large'
const POLL_MS = 200
const WAIT_MAX_MS = 120_000

/** Where the archive lies after {@link uploadModel}. */
export async function uploadModel(s3: S3Client, archive: ModelArchive): Promise<string> {
  await ignoring(['BucketAlreadyOwnedByYou', 'BucketAlreadyExists'], () =>
    s3.send(new CreateBucketCommand({ Bucket: BUCKET })),
  )
  const key = `digits/${archive.contentHash}/model.tar.gz`
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: archive.bytes }))
  return `s3://${BUCKET}/${key}`
}

/**
 * Creates model and endpoint config unless they exist; both bear `name`.
 *
 * They are immutable in SageMaker, so the name holds the model's hash: a retrained model gets new ones.
 */
export async function createModelAndConfig(
  sagemaker: SageMakerClient,
  name: string,
  modelDataUrl: string,
): Promise<void> {
  if ((await found(sagemaker.send(new DescribeModelCommand({ ModelName: name })))) === undefined) {
    await sagemaker.send(
      new CreateModelCommand({
        ModelName: name,
        ExecutionRoleArn: ROLE_ARN,
        PrimaryContainer: { Image: 'berth/onnx', ModelDataUrl: modelDataUrl },
      }),
    )
  }
  const config = new DescribeEndpointConfigCommand({ EndpointConfigName: name })
  if ((await found(sagemaker.send(config))) !== undefined) return
  await sagemaker.send(
    new CreateEndpointConfigCommand({
      EndpointConfigName: name,
      ProductionVariants: [
        {
          VariantName: 'AllTraffic',
          ModelName: name,
          InstanceType: INSTANCE_TYPE,
          InitialInstanceCount: 1,
        },
      ],
    }),
  )
}

/** Which endpoint shall serve which config, and whom to tell how far it is. */
export interface EndpointWish {
  readonly endpointName: string
  readonly configName: string
  readonly show: (text: string) => void
  readonly signal: AbortSignal
}

/** Creates, updates or just finds the endpoint, and waits until it is in service with the config. */
export async function deployEndpoint(
  sagemaker: SageMakerClient,
  wish: EndpointWish,
): Promise<void> {
  const { endpointName, configName } = wish
  const names = { EndpointName: endpointName, EndpointConfigName: configName }
  const settled = await waitUntilSettled(sagemaker, wish)
  if (settled?.EndpointStatus === 'Failed') {
    await sagemaker.send(new DeleteEndpointCommand({ EndpointName: endpointName }))
    await waitUntilSettled(sagemaker, wish)
  }
  if (settled?.EndpointStatus === 'InService') {
    if (settled.EndpointConfigName === configName) return
    await sagemaker.send(new UpdateEndpointCommand(names))
  } else {
    await sagemaker.send(new CreateEndpointCommand(names))
  }
  const result = await waitUntilSettled(sagemaker, wish)
  if (result?.EndpointStatus !== 'InService' || result.EndpointConfigName !== configName) {
    throw new Error(
      `Endpoint ${endpointName} is ${result?.EndpointStatus ?? 'gone'}: ${result?.FailureReason ?? 'no reason given'}`,
    )
  }
}

/** Polls until nothing is under way any more; undefined when the endpoint does not exist. */
async function waitUntilSettled(
  sagemaker: SageMakerClient,
  { endpointName, show, signal }: EndpointWish,
): Promise<DescribeEndpointOutput | undefined> {
  const deadlineMs = performance.now() + WAIT_MAX_MS
  while (performance.now() < deadlineMs) {
    const describe = new DescribeEndpointCommand({ EndpointName: endpointName })
    const endpoint = await found(sagemaker.send(describe))
    const status = endpoint?.EndpointStatus
    if (status === undefined || status === 'InService' || status === 'Failed') return endpoint
    show(`endpoint ${endpointName} is ${status}`)
    await sleep(POLL_MS, undefined, { signal })
  }
  throw new Error(
    `Endpoint ${endpointName} was not ready after ${WAIT_MAX_MS / 1000} s; npx berth describe ${endpointName} says why.`,
  )
}

/** SageMaker has no not-found error for these: it answers `ValidationException: Could not find …`. */
async function found<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('Could not find')) return undefined
    throw error
  }
}

async function ignoring(names: readonly string[], act: () => Promise<unknown>): Promise<void> {
  try {
    await act()
  } catch (error) {
    if (!(error instanceof Error && names.includes(error.name))) throw error
  }
}
