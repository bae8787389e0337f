import {
  CreateEndpointCommand,
  CreateEndpointConfigCommand,
  CreateModelCommand,
  DeleteEndpointCommand,
  UpdateEndpointCommand,
} from '@aws-sdk/client-sagemaker'
import type {
  DescribeEndpointOutput,
  ProductionVariantInstanceType,
  SageMakerClient,
} from '@aws-sdk/client-sagemaker'
import type { S3Client } from '@aws-sdk/client-s3'
import { findAccountId } from './client/account.ts'
import { createS3Client, createSageMakerClient } from './client/aws-clients.ts'
import { findBerth } from './client/find-berth.ts'
import type { TargetOptions } from './client/find-berth.ts'
import { nameFromPath, namesOf, readArtifact } from './deploy/artifact.ts'
import { chooseImage } from './deploy/choose-image.ts'
import { findInstallationStep } from './deploy/installation-step.ts'
import { deleteOwned, findOwned, OWNER_TAG } from './deploy/owned.ts'
import type { OwnedResources } from './deploy/owned.ts'
import { uploadArtifact } from './deploy/upload.ts'
import type { UploadedArtifact } from './deploy/upload.ts'
import { findEndpoint, waitUntilSettled } from './deploy/wait.ts'
import type { ExitReason } from './exit-codes.ts'
import { CliFailure } from './failure.ts'
import type { Progress } from './terminal/progress.ts'
import type { Terminal } from './terminal/terminal.ts'

/** Flags of `berth deploy`. */
export interface DeployOptions extends TargetOptions {
  readonly name?: string
  readonly image?: string
  readonly instanceType: ProductionVariantInstanceType
  readonly instances: number
  /** Of the container. */
  readonly env: Readonly<Record<string, string>>
  readonly json?: boolean
}

interface Clients {
  readonly sagemaker: SageMakerClient
  readonly s3: S3Client
}

interface Publishing {
  readonly clients: Clients
  readonly options: DeployOptions
  readonly progress: Progress
}

/** What is to run, once its archive is uploaded. */
interface Release {
  readonly endpointName: string
  /** Of the model and of the config; new for every deploy. */
  readonly resourceName: string
  readonly image: string
  readonly dataUrl: string
}

/** Makes an endpoint of what is at the path, or updates it, and waits until it serves. */
export async function runDeploy(
  path: string,
  options: DeployOptions,
  terminal: Terminal,
): Promise<ExitReason> {
  const startedAtMs = performance.now()
  const artifact = await readArtifact(path)
  const names = namesOf(artifact)
  const image = options.image ?? chooseImage(names)
  const endpointName = options.name ?? nameFromPath(path)
  const target = findBerth(options)
  const clients = {
    sagemaker: await createSageMakerClient(target),
    s3: await createS3Client(target),
  }
  using progress = terminal.startProgress(`Deploying ${endpointName}`)
  // The service judges the name before anything is uploaded.
  await findEndpoint(clients.sagemaker, endpointName)
  const bucket = `sagemaker-${target.region}-${await findAccountId(target)}`
  const uploaded = await uploadArtifact(
    artifact,
    { s3: clients.s3, bucket, endpointName },
    progress,
  )
  const release = createRelease(endpointName, image, uploaded)
  const action = await publish({ clients, options, progress }, release)
  progress.stop()
  const seconds = Math.round((performance.now() - startedAtMs) / 100) / 10
  if (options.json === true) terminal.printJson({ ...release, action, seconds, url: target.url })
  else printNextSteps(terminal, release, `${action} in ${seconds} s`)
  return 'ok'
}

function createRelease(endpointName: string, image: string, uploaded: UploadedArtifact): Release {
  // The time keeps two deploys of the same contents apart; the limit of every name is 63 characters.
  const suffix = `-${uploaded.contentHash.slice(0, 6)}-${Date.now().toString(36)}`
  return {
    endpointName,
    resourceName: endpointName.slice(0, 63 - suffix.length) + suffix,
    image,
    dataUrl: `s3://${uploaded.bucket}/${uploaded.key}`,
  }
}

async function createResources(
  client: SageMakerClient,
  { resourceName, image, dataUrl }: Release,
  options: DeployOptions,
): Promise<void> {
  await client.send(
    new CreateModelCommand({
      ModelName: resourceName,
      PrimaryContainer: {
        Image: image,
        ModelDataUrl: dataUrl,
        ...(Object.keys(options.env).length > 0 && { Environment: { ...options.env } }),
      },
      Tags: [OWNER_TAG],
    }),
  )
  const variant = {
    VariantName: 'AllTraffic',
    ModelName: resourceName,
    InstanceType: options.instanceType,
    InitialInstanceCount: options.instances,
  }
  await client.send(
    new CreateEndpointConfigCommand({
      EndpointConfigName: resourceName,
      ProductionVariants: [variant],
      Tags: [OWNER_TAG],
    }),
  )
}

/** Creates model and config, then creates or updates the endpoint and waits until it serves them. */
async function publish(
  { clients, options, progress }: Publishing,
  release: Release,
): Promise<'created' | 'updated'> {
  const { sagemaker } = clients
  const input = { EndpointName: release.endpointName, EndpointConfigName: release.resourceName }
  const before = await findReplaceable(sagemaker, release.endpointName, progress)
  const previous = await findOwned(sagemaker, before?.EndpointConfigName)
  const isUpdate = before?.EndpointStatus === 'InService'
  progress.update(`${isUpdate ? 'Updating' : 'Starting'} ${release.endpointName}`)
  try {
    await createResources(sagemaker, release, options)
    if (isUpdate) await sagemaker.send(new UpdateEndpointCommand(input))
    else await sagemaker.send(new CreateEndpointCommand(input))
  } catch (error) {
    await deleteOwned(clients, ownedBy(release), previous)
    throw error
  }
  const after = await waitUntilSettled(sagemaker, release.endpointName, progress, () =>
    findInstallationStep(findBerth(options), release.endpointName),
  )
  const isServed =
    after?.EndpointStatus === 'InService' && after.EndpointConfigName === release.resourceName
  // Whichever of the two the endpoint no longer refers to goes; a failed new endpoint stays for people to look at.
  if (isUpdate && !isServed) await deleteOwned(clients, ownedBy(release), previous)
  else if (previous !== undefined) await deleteOwned(clients, previous, ownedBy(release))
  if (isServed) return isUpdate ? 'updated' : 'created'
  throw toDeployFailure(release.endpointName, isUpdate, after)
}

function ownedBy({ resourceName, dataUrl }: Release): OwnedResources {
  return { configName: resourceName, models: [{ name: resourceName, dataUrl }] }
}

/** The endpoint as it is once nothing is in progress; one that never served is deleted, its name made free. */
async function findReplaceable(
  client: SageMakerClient,
  name: string,
  progress: Progress,
): Promise<DescribeEndpointOutput | undefined> {
  if ((await findEndpoint(client, name)) === undefined) return undefined
  const endpoint = await waitUntilSettled(client, name, progress)
  if (endpoint === undefined || endpoint.EndpointStatus === 'InService') return endpoint
  await client.send(new DeleteEndpointCommand({ EndpointName: name }))
  await waitUntilSettled(client, name, progress)
  return endpoint
}

function toDeployFailure(
  endpointName: string,
  isUpdate: boolean,
  after: DescribeEndpointOutput | undefined,
): CliFailure {
  const reason = after?.FailureReason ?? `It is ${after?.EndpointStatus ?? 'gone'}.`
  const result = isUpdate ? 'was not updated and serves what it served before' : 'did not start'
  return new CliFailure('failed', `${endpointName} ${result}. ${reason}`, {
    cure: `Look closer: berth describe ${endpointName}; berth logs ${endpointName}`,
  })
}

function printNextSteps(terminal: Terminal, release: Release, result: string): void {
  const { style } = terminal
  const { endpointName, image } = release
  terminal.print(`${style.green(endpointName)} ${result}, served by ${image}`)
  terminal.print(`\n  berth invoke ${endpointName} --body @FILE`)
  terminal.print('  eval "$(berth env)"')
  terminal.print(
    `  aws sagemaker-runtime invoke-endpoint --endpoint-name ${endpointName} --content-type application/json ` +
      '--body fileb://FILE /dev/stdout',
  )
}
