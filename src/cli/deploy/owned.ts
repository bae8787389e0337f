import {
  DeleteEndpointConfigCommand,
  DeleteModelCommand,
  DescribeEndpointConfigCommand,
  DescribeModelCommand,
  ListTagsCommand,
} from '@aws-sdk/client-sagemaker'
import type { SageMakerClient } from '@aws-sdk/client-sagemaker'
import type { S3Client } from '@aws-sdk/client-s3'
import { isNotFound } from '../failure.ts'
import { deleteUploaded } from './upload.ts'

/** Marks what `berth deploy` made: only that is ever cleaned up. */
export const OWNER_TAG = { Key: 'berth:deployed-by', Value: 'berth-cli' } as const

/** What one `berth deploy` made, beside the endpoint. */
export interface OwnedResources {
  readonly configName: string
  readonly models: readonly { readonly name: string; readonly dataUrl: string | undefined }[]
}

/** The config of this name and its models, as far as `berth deploy` made them; `undefined` when it did not. */
export async function findOwned(
  client: SageMakerClient,
  configName: string | undefined,
): Promise<OwnedResources | undefined> {
  if (configName === undefined) return undefined
  const config = await find(() =>
    client.send(new DescribeEndpointConfigCommand({ EndpointConfigName: configName })),
  )
  if (config === undefined || !(await isOwned(client, config.EndpointConfigArn))) return undefined
  const models = []
  for (const { ModelName } of config.ProductionVariants ?? []) {
    const model = await find(() => client.send(new DescribeModelCommand({ ModelName })))
    if (ModelName !== undefined && model !== undefined && (await isOwned(client, model.ModelArn))) {
      models.push({ name: ModelName, dataUrl: model.PrimaryContainer?.ModelDataUrl })
    }
  }
  return { configName, models }
}

/** Deletes them; what is gone already is no failure. Archives that `kept` uses too stay. */
export async function deleteOwned(
  clients: { readonly sagemaker: SageMakerClient; readonly s3: S3Client },
  owned: OwnedResources,
  kept?: OwnedResources,
): Promise<void> {
  const { sagemaker, s3 } = clients
  const config = { EndpointConfigName: owned.configName }
  const keptUrls = new Set(kept?.models.map(({ dataUrl }) => dataUrl))
  await find(() => sagemaker.send(new DeleteEndpointConfigCommand(config)))
  for (const { name, dataUrl } of owned.models) {
    await find(() => sagemaker.send(new DeleteModelCommand({ ModelName: name })))
    if (dataUrl !== undefined && !keptUrls.has(dataUrl))
      await find(() => deleteUploaded(s3, dataUrl))
  }
}

async function isOwned(client: SageMakerClient, arn: string | undefined): Promise<boolean> {
  const tags = await find(() => client.send(new ListTagsCommand({ ResourceArn: arn })))
  return (tags?.Tags ?? []).some(
    ({ Key, Value }) => Key === OWNER_TAG.Key && Value === OWNER_TAG.Value,
  )
}

async function find<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
