import type { InstanceAddress } from '../../domain/fleet.ts'
import type {
  LoadedModel,
  ModelFailure,
  ModelNews,
} from '../../domain/multi-model/model-messages.ts'
import type { ModelTimeName } from '../../domain/multi-model/model-times.ts'
import type { HeldFailure, Quarantine } from '../../domain/multi-model/quarantine.ts'
import type { ModelSettings } from '../../domain/multi-model/settings.ts'
import type { ModelContainer } from '../../ports/model-container.ts'
import type { ModelStock } from './model-stock.ts'

/** Which instance it is, and how its models are run. */
export interface ModelInstance {
  readonly endpointName: string
  readonly variantName: string
  readonly fleetId: string
  readonly instanceId: string
  readonly pid: number | undefined
  readonly address: InstanceAddress
  readonly prefixUrl: string
  readonly isCaching: boolean
  readonly settings: ModelSettings
  /** What its models and program may take. */
  readonly memoryBytesMax: number
  readonly loadsMax: number
}

/** What was decided about a model, for the endpoint's events. */
export interface ModelEvent {
  readonly kind:
    | 'model-loaded'
    | 'model-evicted'
    | 'model-unloaded'
    | 'model-quarantined'
    | 'model-replaced'
    | 'model-not-replaced'
    | 'model-lost'
    | 'models-suspected'
    | 'models-taken-over'
  readonly reason: string
  readonly inputs: Readonly<Record<string, string | number | undefined>>
}

/** What gateways that run have said they hold. */
export interface HeldModels {
  /** Whether a gateway runs that is not connected and may be soon. */
  isGatewayAway(): boolean
  /** Resolves when every gateway that runs has said what it holds, or has had the time to. @throws the signal's reason. */
  untilComplete(signal: AbortSignal): Promise<void>
  find(instanceId: string, modelId: string): LoadedModel | undefined
}

/** The end of a process with many models that nobody had told to end. */
export interface ProcessDeath {
  readonly instanceId: string
  /** `was killed by SIGKILL`. */
  readonly how: string
  /** Target models whose loads were under way. */
  readonly loading: readonly string[]
  /** Whether no other instance of the fleet serves meanwhile. */
  readonly wasLast: boolean
}

/** Models that are left alone since processes keep ending beneath them. */
export interface HeldBackModels {
  find(targetModel: string, nowMs: number): HeldFailure<ModelFailure> | undefined
  list(nowMs: number): ReturnType<Quarantine<ModelFailure>['list']>
  /** Resolves when that is up to date. */
  untilJudged(): Promise<void>
  /** The instance begins to serve. */
  recordServing(): void
}

/** What the models of an instance take from their surroundings. */
export interface InstanceModelsWorld {
  readonly container: ModelContainer
  readonly stock: ModelStock
  readonly held: HeldModels
  readonly heldBack: HeldBackModels
  readonly measureBytes: (pid: number) => Promise<number | undefined>
  readonly connectedGatewayIds: () => readonly string[]
  readonly tell: (gatewayId: string, news: ModelNews) => void
  readonly tellAll: (news: ModelNews) => void
  readonly recordEvent: (event: ModelEvent) => void
  readonly recordTime: (name: ModelTimeName, ms: number) => void
  readonly nowMs: () => number
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
}
