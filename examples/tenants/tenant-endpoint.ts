import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import {
  CreateEndpointCommand,
  CreateEndpointConfigCommand,
  CreateModelCommand,
  SageMakerClient,
  waitUntilEndpointInService,
} from '@aws-sdk/client-sagemaker'
import type { BerthEnvironment } from '../digits/steps/berth.ts'

const DEPLOY_SECONDS_MAX = 120

/** An endpoint whose models lie below one prefix; a tenant is an object there. */
export class TenantEndpoint implements Disposable {
  readonly name: string
  readonly #s3: S3Client
  readonly #sagemaker: SageMakerClient
  #hasBucket = false

  constructor(name: string, environment: BerthEnvironment) {
    this.name = name
    const connection = {
      endpoint: environment.AWS_ENDPOINT_URL,
      region: environment.AWS_REGION,
      credentials: {
        accessKeyId: environment.AWS_ACCESS_KEY_ID,
        secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
      },
    }
    this.#s3 = new S3Client({ ...connection, forcePathStyle: true })
    this.#sagemaker = new SageMakerClient(connection)
  }

  /** The model can be invoked from now on. */
  async putModel(targetModel: string, archive: Buffer): Promise<void> {
    if (!this.#hasBucket) await this.#s3.send(new CreateBucketCommand({ Bucket: this.name }))
    this.#hasBucket = true
    const place = { Bucket: this.name, Key: `models/${targetModel}` }
    await this.#s3.send(new PutObjectCommand({ ...place, Body: archive }))
  }

  /** Creates it, and waits until it is in service. */
  async create(): Promise<void> {
    const { name } = this
    await this.#sagemaker.send(
      new CreateModelCommand({
        ModelName: name,
        ExecutionRoleArn: 'arn:aws:iam::000000000000:role/berth',
        PrimaryContainer: {
          Image: 'berth/onnx',
          Mode: 'MultiModel',
          ModelDataUrl: `s3://${name}/models/`,
        },
      }),
    )
    const variant = {
      VariantName: 'AllTraffic',
      ModelName: name,
      InstanceType: 'ml.m5.large',
      InitialInstanceCount: 1,
    } as const
    await this.#sagemaker.send(
      new CreateEndpointConfigCommand({ EndpointConfigName: name, ProductionVariants: [variant] }),
    )
    await this.#sagemaker.send(
      new CreateEndpointCommand({ EndpointName: name, EndpointConfigName: name }),
    )
    const waiter = { client: this.#sagemaker, maxWaitTime: DEPLOY_SECONDS_MAX, minDelay: 1 }
    await waitUntilEndpointInService(waiter, { EndpointName: name })
  }

  [Symbol.dispose](): void {
    this.#s3.destroy()
    this.#sagemaker.destroy()
  }
}
