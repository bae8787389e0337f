import { S3Client } from '@aws-sdk/client-s3'
import {
  CreateEndpointCommand,
  CreateEndpointConfigCommand,
  CreateModelCommand,
  type CreateModelCommandInput,
  DeleteEndpointCommand,
  DescribeEndpointCommand,
  SageMakerClient,
} from '@aws-sdk/client-sagemaker'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { packModel } from '../../examples/digits/steps/archive.ts'
import {
  type BerthEnvironment,
  berthProgram,
  readEnvironment,
  type RunningBerth,
  startBerth,
} from '../../examples/digits/steps/berth.ts'
import { createModelAndConfig, uploadModel } from '../../examples/digits/steps/deploy.ts'
import { findPackageRoot } from '../../examples/digits/steps/package-root.ts'
import type { Address } from './address.ts'
import { packFiles } from './archive.ts'

const POLL_MS = 10
const DEPLOY_MAX_MS = 60_000

export const packageRoot = findPackageRoot()

/** Ids of the platform's own processes, as `berth describe --platform --json` tells them. */
export interface PlatformProcesses {
  readonly control: { readonly pid: number }
  readonly gateways: readonly { readonly pid: number }[]
  readonly instances: readonly { readonly pid: number }[]
}

/** A folder that is gone afterwards. Its path is short, because sockets lie in it. */
export async function makeDataDir(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'berth-bench-'))
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}

/** A Berth on a port of its own, with the clients to drive it. */
export class BenchBerth implements AsyncDisposable {
  readonly running: RunningBerth
  readonly environment: BerthEnvironment
  readonly sagemaker: SageMakerClient
  readonly #s3: S3Client
  readonly #dataDir: string
  readonly #root: string

  private constructor(
    running: RunningBerth,
    environment: BerthEnvironment,
    place: { readonly dataDir: string; readonly root: string },
  ) {
    this.running = running
    this.environment = environment
    this.#dataDir = place.dataDir
    this.#root = place.root
    const connection = {
      endpoint: environment.AWS_ENDPOINT_URL,
      region: environment.AWS_REGION,
      credentials: {
        accessKeyId: environment.AWS_ACCESS_KEY_ID,
        secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
      },
    }
    this.#s3 = new S3Client({ ...connection, forcePathStyle: true })
    this.sagemaker = new SageMakerClient(connection)
  }

  /** @param root where the Berth to measure lies, if it is not the one this bench belongs to. */
  static async start(dataDir: string, root: string = packageRoot): Promise<BenchBerth> {
    const running = await startBerth({ packageRoot: root, dataDir, port: 0 })
    try {
      return new BenchBerth(running, await readEnvironment(root, dataDir), { dataDir, root })
    } catch (error) {
      await running.stop()
      throw error
    }
  }

  /** Uploads a model file as model data. @returns its S3 URL. */
  async uploadModel(modelPath: string): Promise<string> {
    return await uploadModel(this.#s3, await packModel(modelPath))
  }

  /** Uploads files as model data. @returns its S3 URL. */
  async uploadFiles(files: Readonly<Record<string, Buffer>>): Promise<string> {
    return await uploadModel(this.#s3, await packFiles(files))
  }

  /** Uploads a model file and registers model and endpoint config under one name. */
  async registerModel(name: string, modelPath: string): Promise<void> {
    await createModelAndConfig(this.sagemaker, name, await this.uploadModel(modelPath))
  }

  /** Registers a model of any containers, and an endpoint config with one instance of it, under one name. */
  async registerContainers(
    name: string,
    containers: Pick<
      CreateModelCommandInput,
      'PrimaryContainer' | 'Containers' | 'InferenceExecutionConfig'
    >,
  ): Promise<void> {
    const role = 'arn:aws:iam::000000000000:role/berth'
    await this.sagemaker.send(
      new CreateModelCommand({ ModelName: name, ExecutionRoleArn: role, ...containers }),
    )
    const instance = { InstanceType: 'ml.m5.large', InitialInstanceCount: 1 } as const
    await this.sagemaker.send(
      new CreateEndpointConfigCommand({
        EndpointConfigName: name,
        ProductionVariants: [{ VariantName: 'AllTraffic', ModelName: name, ...instance }],
      }),
    )
  }

  /** @returns milliseconds from sending CreateEndpoint to the first DescribeEndpoint that says InService. */
  async createEndpoint(name: string): Promise<number> {
    const startedAtMs = performance.now()
    await this.sagemaker.send(
      new CreateEndpointCommand({ EndpointName: name, EndpointConfigName: name }),
    )
    while (performance.now() - startedAtMs < DEPLOY_MAX_MS) {
      const endpoint = await this.#describe(name)
      if (endpoint.EndpointStatus === 'InService') return performance.now() - startedAtMs
      if (endpoint.EndpointStatus === 'Failed') throw new Error(endpoint.FailureReason)
      await sleep(POLL_MS)
    }
    throw new Error(`Endpoint ${name} was not in service after ${DEPLOY_MAX_MS / 1000} s.`)
  }

  async deleteEndpoint(name: string): Promise<void> {
    await this.sagemaker.send(new DeleteEndpointCommand({ EndpointName: name }))
    while (await this.#exists(name)) await sleep(POLL_MS)
  }

  async describePlatform(): Promise<PlatformProcesses> {
    const stdout = await this.#runCli('describe', '--platform', '--json')
    return JSON.parse(stdout) as PlatformProcesses
  }

  /** The socket of the only instance that runs, to talk to its container directly. */
  async findInstanceAddress(): Promise<Address> {
    const run = join(this.#dataDir, 'run', 'instances')
    const names = await readdir(run, { recursive: true })
    const [path, ...others] = names.filter((name) => name.endsWith('.sock'))
    if (path === undefined) throw new Error(`No instance has a socket in ${run}.`)
    if (others.length > 0) throw new Error(`More than one socket in ${run}.`)
    return { kind: 'socket', path: join(run, path) }
  }

  /** The socket on which the first worker of the only instance takes frames. */
  async findWorkerSocket(): Promise<string> {
    const run = join(this.#dataDir, 'run', 'instances')
    const names = await readdir(run, { recursive: true })
    const name = names.find((each) => each.endsWith('.w0'))
    if (name === undefined) throw new Error(`No worker has a socket in ${run}.`)
    return join(run, name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#s3.destroy()
    this.sagemaker.destroy()
    await this.running.stop()
  }

  #describe(name: string) {
    return this.sagemaker.send(new DescribeEndpointCommand({ EndpointName: name }))
  }

  async #exists(name: string): Promise<boolean> {
    try {
      await this.#describe(name)
      return true
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('Could not find')) return false
      throw error
    }
  }

  async #runCli(...args: readonly string[]): Promise<string> {
    const program = berthProgram(this.#root)
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [program, ...args, '--data-dir', this.#dataDir],
      { env: { ...process.env, ...this.environment } },
    )
    return stdout
  }
}
