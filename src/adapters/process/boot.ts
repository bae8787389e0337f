import type { ChildProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { workerCountOf, shapeOf } from '../../domain/instance-type.ts'
import type { ModelDataSource } from '../../domain/model.ts'
import { modelDataFailure, StartError } from './failure.ts'
import type { ImageProgram, Launch } from './images.ts'
import type { InstanceWorld } from './instance-world.ts'
import { launchProcess } from './launch.ts'
import type { PoolMember } from './pool-member.ts'
import type { InstanceRecord } from './records.ts'
import type { OptimiseOutcome, PreparedModelData } from './settings.ts'

/** What a boot tells of its steps. */
export interface BootListener {
  readonly onModelData: (prepared: PreparedModelData) => void
  /** User code that lies elsewhere than in the model data has come. */
  readonly onCode: (prepared: PreparedModelData) => void
  readonly onOptimised: (outcome: OptimiseOutcome) => void
  /** A process begins next. When this returns, the intent is on disk: a process that is found later has a record. */
  readonly onLaunch: () => void
}

/** A process that was started, and the program that it runs. */
export interface Booted {
  readonly child: ChildProcess
  readonly program: ImageProgram
}

/** Where a launched program finds its model. */
type LaunchFolders = Pick<Launch, 'modelDirectory' | 'optimisedDirectory' | 'codeDirectory'>

/** Where user code is, if not in the model data. Source: SageMaker Python SDK, `Model._script_mode_env_vars`. */
const CODE_VARIABLE = 'SAGEMAKER_SUBMIT_DIRECTORY'

/** An instance's way to its process: model data, their optimised form, then one of the warm pool or a new one. */
export class Boot {
  readonly #world: InstanceWorld
  readonly #record: InstanceRecord
  readonly #listener: BootListener
  /** Kept for this instance until it becomes it. */
  #pooled: PoolMember | undefined

  /** @param pooled a waiting process with the instance's id, if there is one. */
  constructor(
    world: InstanceWorld,
    record: InstanceRecord,
    listener: BootListener,
    pooled: PoolMember | undefined,
  ) {
    this.#world = world
    this.#record = record
    this.#listener = listener
    this.#pooled = pooled
  }

  /** @throws StartError it cannot be started. @throws the signal's reason when it is not wanted any more. */
  async run(signal: AbortSignal): Promise<Booted> {
    const program = findProgram(this.#record, this.#world)
    const { preparing } = this.#world
    const modelData = await preparing.run(() => this.#prepareModelData(signal), signal)
    const code = await preparing.run(() => this.#prepareCode(program, signal), signal)
    const optimisedDirectory = await this.#optimise(program, modelData, signal)
    signal.throwIfAborted()
    const modelDirectory = modelData?.directory ?? this.#emptyFolder()
    this.#listener.onLaunch()
    const codeDirectory = code?.directory
    const launch = this.#launchFrom({ modelDirectory, optimisedDirectory, codeDirectory })
    const child = await this.#assignPooled(program, launch, signal)
    return { program, child: child ?? this.#spawn(program, launch) }
  }

  /** Ends the process that was kept for this instance and has not become it. */
  discardPooled(): void {
    this.#pooled?.discard()
  }

  /** @returns `undefined` when the model has no data. */
  async #prepareModelData(life: AbortSignal): Promise<PreparedModelData | undefined> {
    const modelData = this.#record.spec.containers[0]?.modelData
    if (modelData === undefined) return undefined
    const prepared = await this.#prepare(modelData, life)
    this.#listener.onModelData(prepared)
    return prepared
  }

  /** @returns `undefined` when user code, if any, is part of the model data. */
  async #prepareCode(
    program: ImageProgram,
    life: AbortSignal,
  ): Promise<PreparedModelData | undefined> {
    const url = this.#record.spec.containers[0]?.environment[CODE_VARIABLE]
    if (program.takesCode !== true || url?.startsWith('s3://') !== true) return undefined
    const prepared = await this.#prepare({ kind: 'archive', url }, life)
    this.#listener.onCode(prepared)
    return prepared
  }

  async #prepare(source: ModelDataSource, life: AbortSignal): Promise<PreparedModelData> {
    const { containers, modelDataDownloadTimeoutMs } = this.#record.spec
    const timeout = AbortSignal.timeout(modelDataDownloadTimeoutMs)
    const signal = AbortSignal.any([timeout, life])
    try {
      return await this.#world.prepareModelData(source, containers[0]?.hostname ?? '', signal)
    } catch (error) {
      throw modelDataFailure(timeout.aborted ? timeout.reason : error, modelDataDownloadTimeoutMs)
    }
  }

  /** @returns the folder of the optimised model, or `undefined` when the original serves. */
  async #optimise(
    program: ImageProgram,
    modelData: PreparedModelData | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { optimiseModel } = this.#world
    if (program.isServedOptimised !== true || modelData === undefined) return undefined
    const outcome = await optimiseModel?.(modelData, signal)
    if (outcome === undefined) return undefined
    this.#listener.onOptimised(outcome)
    return outcome.kind === 'optimised' ? outcome.directory : undefined
  }

  #emptyFolder(): string {
    const folder = join(this.#world.records.instanceFolder(this.#record.instanceId), 'model')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    return folder
  }

  #launchFrom(folders: LaunchFolders): Launch {
    const { spec, socketPath } = this.#record
    const { instanceShapes, machine } = this.#world
    const shape = shapeOf(spec.instanceType, instanceShapes)
    const workerCount = workerCountOf(shape, machine.vCpuCount)
    return { ...folders, image: spec.containers[0]?.image ?? '', socketPath, workerCount }
  }

  #spawn(program: ImageProgram, launch: Launch): ChildProcess {
    const { instanceId, spec } = this.#record
    return launchProcess({
      command: program.command,
      arguments: program.argumentsOf(launch),
      folder: this.#world.records.instanceFolder(instanceId),
      logFd: this.#world.logs.open(spec, instanceId),
      environment: {
        ...this.#world.environment,
        ...program.environment,
        ...spec.containers[0]?.environment,
        ...(launch.codeDirectory !== undefined && { [CODE_VARIABLE]: launch.codeDirectory }),
      },
      installationId: this.#world.installationId,
      instanceId,
      openFilesMax: this.#world.limits.openFilesMax,
    })
  }

  /** @returns undefined when a process must be started afresh: whatever is in doubt, that works. */
  async #assignPooled(
    { pooled: form }: ImageProgram,
    launch: Launch,
    signal: AbortSignal,
  ): Promise<ChildProcess | undefined> {
    const pooled = this.#pooled
    this.#pooled = undefined
    if (pooled === undefined) return undefined
    const environment = this.#record.spec.containers[0]?.environment ?? {}
    if (form?.accepts(environment) !== true || !this.#adoptLog(pooled)) {
      pooled.discard()
      return undefined
    }
    const child = await pooled.assign({ arguments: form.argumentsOf(launch), environment })
    // Ended meanwhile: nobody knows of the process, so nobody else would stop it.
    if (signal.aborted) child?.kill('SIGKILL')
    signal.throwIfAborted()
    return child
  }

  #adoptLog({ logPath }: PoolMember): boolean {
    const { spec, instanceId } = this.#record
    try {
      this.#world.logs.adoptPooled(logPath, spec, instanceId)
      return true
    } catch {
      return false
    }
  }
}

/** The program that stands for the instance's only container. @throws StartError there is none. */
function findProgram({ spec }: InstanceRecord, { images }: InstanceWorld): ImageProgram {
  const { containers } = spec
  const [container] = containers
  if (container === undefined || containers.length !== 1) {
    const reason = `The process runtime runs one container per instance, not ${containers.length}.`
    throw new StartError({ cause: 'image', reason, permanent: true })
  }
  const program = images(container.image)
  if (program !== undefined) return program
  const reason = `The process runtime has no program for image ${container.image}.`
  throw new StartError({ cause: 'image', reason, permanent: true })
}
