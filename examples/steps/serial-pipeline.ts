import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import {
  CreateEndpointCommand,
  CreateEndpointConfigCommand,
  CreateModelCommand,
  SageMakerClient,
  waitUntilEndpointInService,
} from '@aws-sdk/client-sagemaker'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { BerthEnvironment } from '../digits/steps/berth.ts'

const WAIT_SECONDS_MAX = 120

/** One container of a pipeline: its model data is a folder. */
export interface PipelineStep {
  readonly hostname: string
  readonly image: string
  readonly folder: string
  readonly environment?: Readonly<Record<string, string>>
}

/** Uploads the folders as they are, and creates a serial pipeline of them; waits until its endpoint is in service. */
export async function servePipeline(
  environment: BerthEnvironment,
  name: string,
  steps: readonly PipelineStep[],
): Promise<void> {
  const connection = {
    endpoint: environment.AWS_ENDPOINT_URL,
    region: environment.AWS_REGION,
    credentials: {
      accessKeyId: environment.AWS_ACCESS_KEY_ID,
      secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
    },
  }
  const s3 = new S3Client({ ...connection, forcePathStyle: true })
  const sagemaker = new SageMakerClient(connection)
  try {
    await s3.send(new CreateBucketCommand({ Bucket: name }))
    for (const step of steps) await uploadFolder(s3, name, step)
    await sagemaker.send(
      new CreateModelCommand({
        ModelName: name,
        ExecutionRoleArn: 'arn:aws:iam::000000000000:role/berth',
        Containers: steps.map((step) => ({
          ContainerHostname: step.hostname,
          Image: step.image,
          Environment: { ...step.environment },
          ModelDataSource: {
            S3DataSource: {
              S3Uri: `s3://${name}/${step.hostname}/`,
              S3DataType: 'S3Prefix',
              CompressionType: 'None',
            },
          },
        })),
      }),
    )
    await sagemaker.send(
      new CreateEndpointConfigCommand({
        EndpointConfigName: name,
        ProductionVariants: [
          {
            VariantName: 'AllTraffic',
            ModelName: name,
            InstanceType: 'ml.m5.large',
            InitialInstanceCount: 1,
          },
        ],
      }),
    )
    const names = { EndpointName: name, EndpointConfigName: name }
    await sagemaker.send(new CreateEndpointCommand(names))
    const waiting = { client: sagemaker, maxWaitTime: WAIT_SECONDS_MAX, minDelay: 1, maxDelay: 1 }
    await waitUntilEndpointInService(waiting, { EndpointName: name })
  } finally {
    s3.destroy()
    sagemaker.destroy()
  }
}

async function uploadFolder(
  s3: S3Client,
  bucket: string,
  { folder, hostname }: PipelineStep,
): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  for (const entry of entries.filter((candidate) => candidate.isFile())) {
    const path = join(entry.parentPath, entry.name)
    const Key = `${hostname}/${relative(folder, path)}`
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: await readFile(path) }))
  }
}
