import type { LoadedModel } from '../../domain/multi-model/model-messages.ts'

/** A model that is loaded on an instance, and how much of this gateway's work is there. */
export interface ModelHome extends LoadedModel {
  /** Invocations that are forwarded to it or wait for it. */
  inUseCount: number
  /** Invocations that its container has been given and has not answered. */
  outstandingCount: number
  /** Invocations that it has answered since it was loaded. */
  answeredCount: number
  /** When control last said that it is what the store has. */
  confirmedAtMs: number
}
