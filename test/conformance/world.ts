import { createGzip } from 'node:zlib'
import { buffer } from 'node:stream/consumers'

import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import {
  CreateEndpointCommand,
  CreateEndpointConfigCommand,
  CreateModelCommand,
  DescribeEndpointCommand,
} from '@aws-sdk/client-sagemaker'
import { pack } from 'tar-stream'

import type { RunningBerth } from '../support/berth.ts'
import { uploadNumbered } from '../support/numbered-models.ts'
import { serveEndpoint } from '../support/serving.ts'
import { until } from '../support/until.ts'
import { digitsModel, packModel, uploadModel } from '../support/upload.ts'
import type { CaseWorld } from './cases/case.ts'
import { SEVERAL_CONTAINERS } from './cases/several-containers.ts'

/** What the cases of every client share: an uploaded archive and endpoints in service. */
export async function prepareWorld(berth: RunningBerth): Promise<Omit<CaseWorld, 'prefix'>> {
  await berth.s3.send(new CreateBucketCommand({ Bucket: 'conformance' }))
  const archive = { Bucket: 'conformance', Key: 'model.tar.gz', Body: await emptyArchive() }
  await berth.s3.send(new PutObjectCommand(archive))
  const liveEndpoint = 'live'
  await berth.sagemaker.send(
    new CreateModelCommand({
      ModelName: 'echo',
      ExecutionRoleArn: 'arn:aws:iam::000000000000:role/berth',
      PrimaryContainer: { Image: 'berth/echo' },
    }),
  )
  const shared = {
    ModelName: 'echo',
    InstanceType: 'ml.m5.large',
    InitialInstanceCount: 1,
  } as const
  await berth.sagemaker.send(
    new CreateEndpointConfigCommand({
      EndpointConfigName: liveEndpoint,
      ProductionVariants: [
        { ...shared, VariantName: 'blue', InitialVariantWeight: 1 },
        { ...shared, VariantName: 'green', InitialVariantWeight: 0 },
      ],
    }),
  )
  const name = { EndpointName: liveEndpoint, EndpointConfigName: liveEndpoint }
  await berth.sagemaker.send(new CreateEndpointCommand(name))
  await until('the live endpoint', async () => {
    const { EndpointStatus } = await berth.sagemaker.send(new DescribeEndpointCommand(name))
    return EndpointStatus === 'InService'
  })
  await Promise.all(
    (['Direct', 'Serial'] as const).map((executionMode) => {
      const containers = [...SEVERAL_CONTAINERS]
      return serveEndpoint(berth, { name: executionMode, containers, executionMode })
    }),
  )
  const onnx = { Bucket: 'conformance', Key: 'digits.tar.gz' }
  const model = await packModel({ 'model.onnx': digitsModel() })
  await berth.s3.send(new PutObjectCommand({ ...onnx, Body: model }))
  for (const number of [1, 2]) await uploadNumbered(berth, 'conformance/', number)
  await uploadModel(berth, 'conformance/broken.tar.gz', Buffer.from('this is no archive'))
  return {
    liveEndpoint,
    directEndpoint: 'Direct',
    serialEndpoint: 'Serial',
    manyUrl: 's3://models/conformance/',
    modelDataUrl: 's3://conformance/model.tar.gz',
    onnxUrl: 's3://conformance/digits.tar.gz',
  }
}

async function emptyArchive(): Promise<Buffer> {
  const tar = pack()
  tar.entry({ name: 'note.txt' }, 'nothing to serve')
  tar.finalize()
  return await buffer(tar.pipe(createGzip()))
}
