import type { ChildProcess } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { workerCountOf, shapeOf } from '../../domain/instance-type.ts'
import type { ModelDataSource } from '../../domain/model.ts'
import { modelDataFailure, StartError } from './failure.ts'
import type { ImageProgram, Launch } from './images.ts'
import type { InstanceWorld } from './instance-world.ts'
import { launchProcess } from './launch.ts'
import type { PoolMember } from './pool-member.ts'
import type { Seat } from './seat.ts'
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

/** A container's way to its process: model data, their optimised form, then one of the warm pool or a new one. */
export class Boot {
  readonly #world: InstanceWorld
  readonly #seat: Seat
  readonly #listener: BootListener
  /** Kept for this instance until it becomes it. */
  #pooled: PoolMember | undefined

  /** @param pooled a waiting process with the instance's id, if there is one. */
  constructor(
    world: InstanceWorld,
    seat: Seat,
    listener: BootListener,
    pooled: PoolMember | undefined,
  ) {
    this.#world = world
    this.#seat = seat
    this.#listener = listener
    this.#pooled = pooled
  }

  /** @throws StartError it cannot be started. @throws the signal's reason when it is not wanted any more. */
  async run(signal: AbortSignal): Promise<Booted> {
    const program = findProgram(this.#seat, this.#world)
    const { preparing } = this.#world
    const modelData = await preparing.run(() => this.#prepareModelData(signal), signal)
    const code = await preparing.run(() => this.#prepareCode(program, signal), signal)
    const optimisedDirectory = await this.#optimise(program, modelData, signal)
    signal.throwIfAborted()
    this.#prepareFolder()
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
    const { modelData } = this.#seat.container
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
    const url = this.#seat.container.environment[CODE_VARIABLE]
    if (program.takesCode !== true || url?.startsWith('s3://') !== true) return undefined
    const prepared = await this.#prepare({ kind: 'archive', url }, life)
    this.#listener.onCode(prepared)
    return prepared
  }

  async #prepare(source: ModelDataSource, life: AbortSignal): Promise<PreparedModelData> {
    const { container, spec } = this.#seat
    const { modelDataDownloadTimeoutMs } = spec
    const timeout = AbortSignal.timeout(modelDataDownloadTimeoutMs)
    const signal = AbortSignal.any([timeout, life])
    try {
      return await this.#world.prepareModelData(source, container.hostname, signal)
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

  // What an earlier process of the same place left would keep this one from listening.
  #prepareFolder(): void {
    const { folder, socketPath } = this.#seat
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const place = dirname(socketPath)
    const stem = basename(socketPath, '.sock')
    for (const name of readdirSync(place)) {
      if (name.startsWith(`${stem}.`)) rmSync(join(place, name), { force: true })
    }
  }

  #emptyFolder(): string {
    const folder = join(this.#seat.folder, 'model')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    return folder
  }

  #launchFrom(folders: LaunchFolders): Launch {
    const { spec, socketPath, container } = this.#seat
    const { instanceShapes, machine } = this.#world
    const shape = shapeOf(spec.instanceType, instanceShapes)
    const workerCount = workerCountOf(shape, machine.vCpuCount)
    return { ...folders, image: container.image, socketPath, workerCount }
  }

  #spawn(program: ImageProgram, launch: Launch): ChildProcess {
    const { instanceId, container, folder, siblingVariables } = this.#seat
    return launchProcess({
      command: program.command,
      arguments: program.argumentsOf(launch),
      folder,
      logFd: this.#world.logs.open(this.#seat),
      environment: {
        ...this.#world.environment,
        ...program.environment,
        ...container.environment,
        ...(launch.codeDirectory !== undefined && { [CODE_VARIABLE]: launch.codeDirectory }),
        ...siblingVariables,
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
    const { environment } = this.#seat.container
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
    try {
      this.#world.logs.adoptPooled(logPath, this.#seat)
      return true
    } catch {
      return false
    }
  }
}

/** The program that stands for the container. @throws StartError there is none. */
function findProgram({ container }: Seat, { images }: InstanceWorld): ImageProgram {
  const program = images(container.image)
  if (program !== undefined) return program
  const reason = `The process runtime has no program for image ${container.image}.`
  throw new StartError({ cause: 'image', reason, permanent: true })
}
