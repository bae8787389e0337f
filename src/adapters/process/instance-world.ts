import type { InstanceShape } from '../../domain/instance-type.ts'
import type { Log } from '../../platform/log.ts'
import type { Clock } from '../../ports/clock.ts'
import type { InstanceFailure } from './failure.ts'
import type { ImageProgram } from './images.ts'
import type { LogFiles } from './log-files.ts'
import type { Phase } from './plan.ts'
import type { InstanceRecord, Records } from './records.ts'
import type { Seat } from './seat.ts'
import type {
  OptimiseModel,
  OptimiseOutcome,
  PreparedModelData,
  PrepareModelData,
  ProcessLimits,
} from './settings.ts'
import type { Turnstile } from './turnstile.ts'

/** What an instance needs of the runtime, and what it tells it. */
export interface InstanceWorld {
  readonly installationId: string
  readonly images: (image: string) => ImageProgram | undefined
  readonly prepareModelData: PrepareModelData
  readonly optimiseModel?: OptimiseModel
  readonly isDrained: (instanceId: string) => boolean
  readonly environment: Readonly<Record<string, string>>
  readonly instanceShapes: Readonly<Record<string, InstanceShape>>
  readonly machine: InstanceShape
  readonly limits: ProcessLimits
  readonly preparing: Turnstile
  readonly records: Records
  readonly logs: LogFiles
  readonly clock: Clock
  readonly log: Log
  readonly onModelData: (record: InstanceRecord, seat: Seat, prepared: PreparedModelData) => void
  readonly onOptimised: (record: InstanceRecord, seat: Seat, outcome: OptimiseOutcome) => void
  readonly onStarted: (record: InstanceRecord, seat: Seat) => void
  /** One of several containers of a serving instance failed and is started anew after `delayMs`. */
  readonly onContainerFailure: (
    record: InstanceRecord,
    seat: Seat,
    failed: { readonly failure: InstanceFailure; readonly delayMs: number },
  ) => void
  /** A container that was started anew is ready again. */
  readonly onContainerReady: (record: InstanceRecord, seat: Seat) => void
  readonly onReady: (record: InstanceRecord) => void
  /** A wanted instance cannot serve: it ended, did not start, or misses its pings. */
  readonly onFailure: (record: InstanceRecord, failure: InstanceFailure, phaseBefore: Phase) => void
  /** Something else that the plan should see, such as the end of an instance that was told to stop. */
  readonly onChange: (record: InstanceRecord) => void
}
