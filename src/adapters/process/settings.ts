import { availableParallelism, totalmem } from 'node:os'
import type { BackOffPolicy } from '../../domain/back-off.ts'
import type { EndpointEvent } from '../../domain/event.ts'
import type { InstanceShape } from '../../domain/instance-type.ts'
import type { JsonObject } from '../../domain/json.ts'
import type { ModelDataSource } from '../../domain/model.ts'
import { PING_POLICY } from '../../domain/health.ts'
import type { PingPolicy } from '../../domain/health.ts'
import type { DataPaths } from '../../platform/data-paths.ts'
import type { Log } from '../../platform/log.ts'
import type { Clock } from '../../ports/clock.ts'
import type { ImageProgram } from './images.ts'
import type { WarmPoolOptions } from './warm-pool.ts'

/** Unpacked model data on this machine, shared read-only by all that asked for the same content. */
export interface PreparedModelData {
  readonly directory: string
  readonly contentHash: string
  readonly bytes: number
}

/**
 * Makes the model data of a container available as a folder.
 *
 * @throws BerthError with a message for the owner of the endpoint. One whose code is not retryable ends the attempts:
 * missing objects and refused archives stay so.
 */
export type PrepareModelData = (
  source: ModelDataSource,
  containerName: string,
  signal: AbortSignal,
) => Promise<PreparedModelData>

/** What became of model data that was to be optimised. */
export type OptimiseOutcome =
  | { readonly kind: 'optimised'; readonly directory: string; readonly detail: JsonObject }
  /** The original serves; `reason` goes on a sentence for the owner of the endpoint. */
  | { readonly kind: 'original'; readonly reason: string }
  /** Too small to gain. */
  | { readonly kind: 'small' }

/** Finds or makes the optimised form of model data. Rejects only when the signal aborts: an instance starts without. */
export type OptimiseModel = (
  prepared: PreparedModelData,
  signal: AbortSignal,
) => Promise<OptimiseOutcome>

/** Bounds of the process runtime, each with a default in {@link PROCESS_LIMITS}. */
export interface ProcessLimits {
  /** How long a draining instance is waited for before it is told to stop. */
  readonly drainMsMax: number
  /** Between SIGTERM and SIGKILL. */
  readonly terminateMsMax: number
  /** Ready for so long, an instance has started well: its failures before are forgotten. */
  readonly steadyMs: number
  readonly backOff: BackOffPolicy
  /** Wait after a failure that trying again cannot cure. */
  readonly permanentBackOffMs: number
  readonly ping: PingPolicy
  readonly pingTimeoutMs: number
  /** How often a draining or dying instance is looked at. */
  readonly stopPollMs: number
  /** How often instances that are not children of this process are looked for. */
  readonly adoptedPollMs: number
  /** Instances that prepare model data at the same time. */
  readonly preparingMax: number
  /** Open files of one instance, if the system allows so many. */
  readonly openFilesMax: number
  readonly logFileBytesMax: number
  /** Rotated files kept per instance besides the current one. */
  readonly logFileCountMax: number
  /** All logs together; the oldest of instances that are gone are removed first. */
  readonly logsBytesMax: number
  /** Log files kept per variant of instances that are gone: a crash loop makes one per start. */
  readonly goneLogCountMax: number
  readonly goneLogAgeMsMax: number
  readonly logUpkeepIntervalMs: number
}

const MIB = 1024 * 1024

/** Drain, SIGTERM and SIGKILL times as SageMaker documents them. */
export const PROCESS_LIMITS: ProcessLimits = {
  drainMsMax: 60_000,
  terminateMsMax: 30_000,
  steadyMs: 10_000,
  backOff: { freeCount: 1, firstDelayMs: 1_000, delayMsMax: 60_000 },
  permanentBackOffMs: 60_000,
  ping: PING_POLICY,
  pingTimeoutMs: 2_000,
  stopPollMs: 25,
  adoptedPollMs: 500,
  preparingMax: 16,
  openFilesMax: 65_536,
  logFileBytesMax: 10 * MIB,
  logFileCountMax: 2,
  logsBytesMax: 1024 * MIB,
  goneLogCountMax: 20,
  goneLogAgeMsMax: 7 * 24 * 3_600_000,
  logUpkeepIntervalMs: 10_000,
}

/** What the process runtime is made from. */
export interface ProcessRuntimeOptions {
  readonly paths: DataPaths
  /** The program of an image (`berth/onnx`, tag allowed), or `undefined` when this runtime cannot run it. */
  readonly images: (image: string) => ImageProgram | undefined
  readonly prepareModelData: PrepareModelData
  /** For programs that are served optimised models; without it every instance loads the original. */
  readonly optimiseModel?: OptimiseModel
  /** Whether no gateway routes to the instance or waits for it any more. */
  readonly isDrained: (instanceId: string) => boolean
  readonly recordEvent: (event: EndpointEvent) => void
  readonly clock: Clock
  /** In [0, 1); makes instance ids. */
  readonly random: () => number
  readonly log: Log
  /**
   * What every container sees besides its own environment: PATH, HOME, AWS_REGION, AWS_DEFAULT_REGION,
   * AWS_ENDPOINT_URL. Never the platform's whole environment; credentials only if the operator asked for it.
   */
  readonly environment: Readonly<Record<string, string>>
  /** `strict` refuses instances beyond the machine. @defaultValue `over-commit` */
  readonly capacity?: 'strict' | 'over-commit'
  /** @defaultValue this machine */
  readonly machine?: InstanceShape
  /** Sizes of the operator's own instance types. */
  readonly instanceShapes?: Readonly<Record<string, InstanceShape>>
  /** @defaultValue no warm pool */
  readonly warmPool?: WarmPoolOptions
  readonly limits?: Partial<ProcessLimits>
}

/** Cores and memory of this machine. */
export function thisMachine(): InstanceShape {
  return { vCpuCount: availableParallelism(), memoryBytes: totalmem() }
}
